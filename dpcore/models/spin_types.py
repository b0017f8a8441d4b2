"""The types of a model with spins: each has a virtual one behind the last."""

import math
from dataclasses import dataclass

from dpcore.errors import DPError
from dpcore.models.standard import StandardModel

_SUFFIX = "_spin"


@dataclass(frozen=True)
class SpinTypes:
    """The types of the atoms and of their virtual partners.

    Attributes:
        type_map: names of the types of atoms.
        use_spin: whether each is magnetic; the virtual types of the others have no atoms.
    """

    type_map: tuple[str, ...]
    use_spin: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.use_spin) != len(self.type_map):
            raise DPError(
                f"spin.use_spin: {len(self.use_spin)} flags for {len(self.type_map)} types; give one for each"
            )
        if not any(self.use_spin):
            raise DPError(
                "spin.use_spin: no type is magnetic; name one at least, or leave out spin"
            )

    @property
    def doubled(self) -> tuple[str, ...]:
        """Names of all types."""
        return self.type_map + tuple(name + _SUFFIX for name in self.type_map)

    @property
    def virtual(self) -> tuple[int, ...]:
        """The virtual types: their atoms have no energy."""
        ntypes = len(self.type_map)
        return tuple(range(ntypes, 2 * ntypes))

    @property
    def isolated(self) -> tuple[tuple[int, int], ...]:
        """The pairs that keep the virtual types of what is not magnetic apart from all others."""
        ntypes = len(self.type_map)
        unused = [ntypes + t for t, magnetic in enumerate(self.use_spin) if not magnetic]
        return tuple((t, other) for t in unused for other in range(2 * ntypes))

    def check(self, backbone: StandardModel, scales: tuple[float, ...]) -> None:
        """Raise a one-line error for what is no model of these types and spins."""
        self.check_scales(scales)
        if backbone.type_map != self.doubled:
            raise DPError(
                f"backbone.type_map: {list(backbone.type_map)}; the types and their virtual ones are "
                f"{list(self.doubled)}"
            )
        if backbone.output.total != "energy":
            raise DPError(
                f"spin: the fitting predicts {backbone.output.total!r}; allowed: 'energy'"
            )
        if not set(self.virtual) <= set(backbone.atom_exclude_types):
            raise DPError(
                f"backbone.atom_exclude_types: {list(backbone.atom_exclude_types)} leaves virtual atoms "
                f"with an energy; all of {list(self.virtual)} are needed"
            )
        found = {frozenset(pair) for pair in backbone.pair_exclude_types}
        missing = [list(pair) for pair in self.isolated if frozenset(pair) not in found]
        if missing:
            raise DPError(
                f"backbone.pair_exclude_types: {missing[0]} is missing, which keeps apart a type that is "
                "not magnetic"
            )

    def check_scales(self, scales: tuple[float, ...]) -> None:
        """Raise a one-line error for scales that do not fit the types."""
        if len(scales) != len(self.type_map):
            raise DPError(
                f"spin.virtual_scale: {len(scales)} numbers for {len(self.type_map)} types; give one for each"
            )
        for name, magnetic, scale in zip(self.type_map, self.use_spin, scales, strict=True):
            if magnetic and not 0 < abs(scale) < math.inf:
                raise DPError(
                    f"spin.virtual_scale: {scale} for the magnetic type {name!r}; a number other than 0 is "
                    "needed"
                )
