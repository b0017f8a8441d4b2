"""What models with output statistics of their own share: excluded types and an output bias."""

from typing import Any

import numpy as np

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.fittings.by_type import of_types, zeroed
from dpcore.models.model import Model
from dpcore.output import ENERGY, Output
from dpcore.tree import buffer, setting
from dpcore.xp import as_type_of, shape


class BiasedModel(Model):
    """Base of models that have an output bias of their own."""

    type_map: tuple[str, ...] = setting(doc="names of the atom types")
    atom_exclude_types: tuple[int, ...] = setting((), doc="types whose atomic property is zero")
    pair_exclude_types: tuple[tuple[int, int], ...] = setting(
        (), doc="type pairs that are no neighbours of each other"
    )
    preset_out_bias: tuple[float | tuple[float, ...] | None, ...] | None = setting(
        None, doc="output bias of each type; None leaves a type to the fit"
    )
    out_bias: Any = buffer(exact=True)
    out_std: Any = buffer(exact=True)

    def __post_init__(self) -> None:
        ntypes = len(self.type_map)
        excluded = {"atom_exclude_types": self.atom_exclude_types}
        excluded["pair_exclude_types"] = tuple(t for pair in self.pair_exclude_types for t in pair)
        for key, types in excluded.items():
            for t in types:
                if not 0 <= t < ntypes:
                    raise DPError(f"model.{key}: there is no type {t}; allowed: 0 … {ntypes - 1}")
        needed = (1, ntypes, self.output.size)
        for key in ("out_bias", "out_std"):
            if shape(getattr(self, key)) != needed:
                raise DPError(f"model.{key}: shape {shape(getattr(self, key))}; {needed} is needed")


class BiasedEnergy(BiasedModel):
    """Base of models of the energy other than the standard one."""

    @property
    def output(self) -> Output:
        """The energy."""
        return ENERGY

    def finished(self, energy: Any, batch: Batch) -> Any:
        """Return energies of the centres, ``(centre, 1)``, eV, with the bias added and exclusions zeroed."""
        energy = as_type_of(energy, self.out_bias) + of_types(self.out_bias[0, :, :], batch)
        return zeroed(energy, batch, self.atom_exclude_types)


def neutral_statistics(ntypes: int, output: Output = ENERGY) -> dict[str, Any]:
    """Return the output statistics of a model that is neither biased nor scaled."""
    sizes = (1, ntypes, output.size)
    return {"out_bias": np.zeros(sizes), "out_std": np.ones(sizes)}
