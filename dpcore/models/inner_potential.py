"""The repulsion of nuclei that come very close."""

from typing import Any, Self

from dpcore.batch import Batch, centre_types, neighbour_types
from dpcore.errors import DPError, suggest
from dpcore.fittings.by_type import as_row
from dpcore.models.biased import BiasedEnergy, neutral_statistics
from dpcore.neighbours.selection import ALL, Selection
from dpcore.nn.electrons import SYMBOLS
from dpcore.tree import setting
from dpcore.xp import namespace, shape

# e²/(4 π ε₀), eV Å, the Bohr radius, Å, and the universal screening function, as models in use have them.
_COULOMB, _BOHR = 14.3996, 0.5291772109
_SCREENING = ((0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.028171, 0.20162))


class InnerPotential(BiasedEnergy, name="inner_potential"):
    """Half the sum over the neighbours of the screened repulsion of two nuclei.

    It is ``Z_i Z_j e²/r φ(r/a)`` with the universal screening function φ and ``a = 0.88534 a_0 / (Z_i^0.23 +
    Z_j^0.23)``. Source: Ziegler, Biersack and Littmark, The Stopping and Range of Ions in Solids (1985).
    """

    mode: str = setting("ZBL", doc="formula of the repulsion: ZBL")
    # Without a default it would be the property of all models.
    rcut: float = setting(0.0, doc="cutoff, Å: that of the learned model")
    sel: int | tuple[int, ...] = setting(
        0, doc="without effect: all neighbours within the cutoff count"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_mode(self.mode, "model.mode")
        for name in self.type_map:
            if name not in SYMBOLS:
                raise DPError(
                    f"model.type_map: {name!r} is no element{suggest(name, SYMBOLS)}; the repulsion of "
                    "nuclei is known of elements alone"
                )
        if not self.rcut > 0:
            raise DPError(f"model.rcut: {self.rcut}; a positive cutoff is needed")

    @classmethod
    def create(cls, *, type_map: tuple[str, ...], **settings: Any) -> Self:
        """Return a repulsion without a bias."""
        return cls(type_map=type_map, **neutral_statistics(len(type_map)), **settings)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """All neighbours within the cutoff, as a list."""
        all_types = Selection.of_all_types(self.rcut, ALL, len(self.type_map), listed=True)
        return (all_types.with_excluded(self.pair_exclude_types),)

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the energy of each centre, ``(centre, 1)``, eV."""
        xp, block = namespace(displacement), batch.view.blocks[0][0]
        centre, ntypes = centre_types(batch), len(self.type_map)
        pairs = xp.take(centre, block.centre, axis=0) * ntypes + neighbour_types(batch, block)
        distance = xp.sqrt(xp.sum(displacement * displacement, axis=-1))
        energy = xp.where(block.mask(), self._energy(distance, pairs), xp.zeros_like(distance))
        return self.finished(
            0.5 * xp.segment_sum(energy[:, None], block.centre, shape(centre)[0]), batch
        )

    def _energy(self, distance: Any, pairs: Any) -> Any:
        """Return the energies of pairs of types, ``(edge,)``, eV."""
        xp = namespace(distance)
        charges = [[*SYMBOLS].index(name) + 1 for name in self.type_map]
        both = [(a, b) for a in charges for b in charges]
        product = [_COULOMB * a * b for a, b in both]
        inverse = [(a**0.23 + b**0.23) / (0.88534 * _BOHR) for a, b in both]
        x = distance * xp.take(as_row(inverse, distance), pairs, axis=0)
        screening = xp.zeros_like(x)
        for share, decay in _SCREENING:
            screening = screening + share * xp.exp(-decay * x)
        return xp.take(as_row(product, distance), pairs, axis=0) / distance * screening


def check_mode(mode: str, where: str) -> None:
    """Raise a one-line error for a formula that there is not.

    Args:
        mode: its name, in any case.
        where: what names it, for the message.
    """
    if mode.lower() != "zbl":
        raise DPError(f"{where}: {mode!r} is unknown; allowed: ZBL")
