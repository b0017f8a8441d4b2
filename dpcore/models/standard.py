"""The standard model: a descriptor and a fitting."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Self

from dpcore.batch import Batch
from dpcore.conditions import Conditions
from dpcore.descriptors.descriptor import Descriptor
from dpcore.errors import DPError
from dpcore.fittings.by_type import zeroed
from dpcore.fittings.fitting import Fitting
from dpcore.models.biased import BiasedModel, neutral_statistics
from dpcore.neighbours.selection import Selection
from dpcore.output import Output


class StandardModel(BiasedModel, name="standard"):
    """A property of each atom from its surroundings; its sum or mean is the property of a frame."""

    descriptor: Descriptor
    fitting: Fitting

    def __post_init__(self) -> None:
        ntypes = len(self.type_map)
        for what, found in (
            ("descriptor", self.descriptor.ntypes),
            ("fitting", self.fitting.ntypes),
        ):
            if found not in {None, ntypes}:
                raise DPError(
                    f"model.type_map: {ntypes} types, but the {what} has {found}; both must agree"
                )
        silent = {*self.atom_exclude_types, *self.fitting.unselected_types}
        if silent != set(self.atom_exclude_types):
            object.__setattr__(self, "atom_exclude_types", tuple(sorted(silent)))
        super().__post_init__()
        self.fitting.check_descriptor(self.descriptor)
        if self.fitting.numb_aparam < self.descriptor.conditions.numb_aparam:
            raise DPError(
                f"fitting_net.numb_aparam: {self.fitting.numb_aparam}; the descriptor "
                f"{self.descriptor.type_name!r} takes {self.descriptor.conditions.numb_aparam}: set it to that, and "
                "use_aparam_as_mask where the fitting is not to see them"
            )

    @classmethod
    def create(cls, descriptor: Descriptor, fitting: Fitting, **settings: Any) -> Self:
        """Return a model with neutral output statistics."""
        neutral = neutral_statistics(len(settings["type_map"]), fitting.output)
        return cls(descriptor=descriptor, fitting=fitting, **neutral, **settings)

    @property
    def output(self) -> Output:
        """What the fitting predicts."""
        output = self.fitting.output
        return replace(output, magnetic=output.differentiable and bool(self.magnetic))

    @property
    def conditions(self) -> Conditions:
        """What the fitting and the descriptor are told besides places."""
        fitting = self.fitting
        return replace(
            self.descriptor.conditions,
            numb_fparam=fitting.numb_fparam,
            numb_aparam=fitting.numb_aparam,
            default_fparam=fitting.default_fparam,
        )

    @property
    def magnetic(self) -> tuple[bool, ...]:
        """Whether atoms of each type have spins that the descriptor is told of."""
        return self.descriptor.magnetic

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours the descriptor asks for, less the excluded pairs."""
        asked = self.descriptor.selections
        return tuple(s.with_excluded(self.pair_exclude_types) for s in asked)

    @property
    def virials_by_path(self) -> bool:
        """Whether virials of atoms follow the paths of the descriptor's messages."""
        return self.descriptor.virials_by_path

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the descriptor's tables, Å."""
        return self.descriptor.reach

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate the descriptor."""
        return self.descriptor.is_fused

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Self:
        """Return the model with its descriptor made ready."""
        return self.with_(descriptor=self.descriptor.prepared(tables=tables, kernels=kernels))

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the property of each centre, ``(centre, *output.shape)``."""
        values = self.fitting(self.descriptor(batch, displacement), batch)
        values = self.fitting.finished(values, self.out_bias, self.out_std, batch)
        return zeroed(values, batch, self.atom_exclude_types)

    def features(self, batch: Batch, displacement: Any) -> Any:
        """Return the descriptors of the centres, ``(centre, width)``."""
        return self.descriptor(batch, displacement).features
