"""Electron configurations of the elements' ground states, as vectors that tell elements apart."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError, suggest

SYMBOLS = (  # noqa: SIM905  # quotation marks would make a list of it
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb "
    "Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf "
    "Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
).split()

# Subshells in the order in which they fill (Madelung's rule), and in which a vector lists them.
FILLING = "1s 2s 2p 3s 3p 4s 3d 4p 5s 4d 5p 6s 4f 5d 6p 7s 5f 6d 7p".split()  # noqa: SIM905
LISTED = sorted(FILLING, key=lambda shell: (shell[0], "spdf".index(shell[1])))

# Ground states that break the rule: electrons that change the subshell, with where they go.
# Beyond the actinides nothing is measured; the tables that models in use were trained with go on as Pt and Au.
EXCEPTIONS = {
    "Cr": "4s 3d", "Cu": "4s 3d",
    "Nb": "5s 4d", "Mo": "5s 4d", "Ru": "5s 4d", "Rh": "5s 4d", "Pd": "5s 4d 5s 4d", "Ag": "5s 4d",
    "La": "4f 5d", "Ce": "4f 5d", "Gd": "4f 5d", "Pt": "6s 5d", "Au": "6s 5d",
    "Ac": "5f 6d", "Th": "5f 6d 5f 6d", "Pa": "5f 6d", "U": "5f 6d", "Np": "5f 6d", "Cm": "5f 6d",
    "Ds": "7s 6d", "Rg": "7s 6d",
}  # fmt: skip


@cache
def occupation(symbol: str) -> dict[str, int]:
    """Return the number of electrons in each subshell of an element.

    Raises:
        DPError: no element has that symbol.
    """
    if symbol not in SYMBOLS:
        raise DPError(
            f"type_map: {symbol!r} is no element{suggest(symbol, SYMBOLS)}; electron configurations "
            "(use_econf_tebd) are known of elements alone"
        )
    left, electrons = SYMBOLS.index(symbol) + 1, dict[str, int]()
    for shell in FILLING:
        electrons[shell] = min(left, 2 * _orbitals(shell))
        left -= electrons[shell]
    moves = EXCEPTIONS.get(symbol, "").split()
    for source, target in zip(moves[::2], moves[1::2], strict=True):
        electrons[source] -= 1
        electrons[target] += 1
    return electrons


def configuration_vector(symbol: str) -> NDArray[np.float64]:
    """Return the spins of an element's orbitals as a vector of unit length, ``(118,)``.

    Each orbital has two places, positive where an electron is and negative where none is. The orbitals of
    a subshell are listed by falling number of electrons, single electrons as many as Hund's rule demands.
    """
    electrons, spins = occupation(symbol), list[int]()
    for shell in LISTED:
        n, orbitals = electrons[shell], _orbitals(shell)
        pairs = max(n - orbitals, 0)
        single = n - 2 * pairs
        spins += [1, 1] * pairs + [-1, 1] * single + [-1, -1] * (orbitals - pairs - single)
    vector = np.array(spins, np.float64)
    unit: NDArray[np.float64] = vector * (1.0 / np.sqrt(vector.size))
    return unit


def _orbitals(shell: str) -> int:
    return 2 * "spdf".index(shell[1]) + 1
