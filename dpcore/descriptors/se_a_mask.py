"""``se_e2_a`` of all atoms of an open frame."""

from collections.abc import Mapping

from dpcore.conditions import Conditions
from dpcore.descriptors.normalised import Normalised
from dpcore.descriptors.se_e2_a import SeE2A
from dpcore.errors import DPError
from dpcore.neighbours.selection import Selection

# Neighbours are as far as this, Å: the switch function has not begun to fall.
_FAR = 9999.0


class SeAMask(SeE2A, name="se_a_mask"):
    """``se_e2_a`` without a cutoff: all atoms of a frame are neighbours, in open boundaries.

    The first atomic parameter is a mask: atoms where it is 0 neither have neighbours nor are any. They keep
    the energy of an atom without surroundings.
    """

    rcut: float = _FAR + 1.0
    rcut_smth: float = _FAR
    env_protection: float = 0.0
    set_davg_zero: bool = True
    by_type: bool = True

    def __post_init__(self) -> None:
        for key in ("rcut", "rcut_smth", "env_protection", "set_davg_zero"):
            if getattr(self, key) != getattr(SeAMask, key):
                raise DPError(f"descriptor.{key}: se_a_mask has no cutoff; leave it out")
        super().__post_init__()

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours this descriptor asks for."""
        return (Selection(rcut=self.rcut, sel=self.sel, by_type=self.by_type, masked=True),)

    @property
    def normalised_rows(self) -> Mapping[str, Normalised]:
        """Nothing: as in DeePMD-kit the environment rows stay as they are."""
        return {}

    @property
    def conditions(self) -> Conditions:
        """One atomic parameter: the mask."""
        return Conditions(numb_aparam=1)
