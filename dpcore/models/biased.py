"""What energy models other than the standard one share: excluded types and an output bias."""

from typing import Any

import numpy as np

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.fittings.by_type import of_types, zeroed
from dpcore.models.model import Model
from dpcore.output import ENERGY, Output
from dpcore.tree import buffer, setting
from dpcore.xp import as_type_of, shape


class BiasedEnergy(Model):
    """Base of models of the energy that have an output bias of their own."""

    type_map: tuple[str, ...] = setting(doc="names of the atom types")
    atom_exclude_types: tuple[int, ...] = setting((), doc="types whose atomic energy is zero")
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
        for key in ("out_bias", "out_std"):
            found, needed = shape(getattr(self, key)), (1, ntypes, 1)
            if found != needed:
                raise DPError(f"model.{key}: shape {found}; {needed} is needed")
        check_types(ntypes, self.atom_exclude_types, self.pair_exclude_types)

    @property
    def output(self) -> Output:
        """The energy."""
        return ENERGY

    def finished(self, energy: Any, batch: Batch) -> Any:
        """Return energies of the centres, ``(centre, 1)``, eV, with the bias added and exclusions zeroed."""
        energy = as_type_of(energy, self.out_bias) + of_types(self.out_bias[0, :, :], batch)
        return zeroed(energy, batch, self.atom_exclude_types)


def check_types(
    ntypes: int, atoms: tuple[int, ...], pairs: tuple[tuple[int, int], ...], where: str = "model"
) -> None:
    """Raise a one-line error for excluded types that there are not."""
    excluded = {"atom_exclude_types": atoms, "pair_exclude_types": [t for p in pairs for t in p]}
    for key, types in excluded.items():
        for t in types:
            if not 0 <= t < ntypes:
                raise DPError(f"{where}.{key}: there is no type {t}; allowed: 0 … {ntypes - 1}")


def neutral_bias(ntypes: int) -> dict[str, Any]:
    """Return the output statistics of an energy that is not biased."""
    return {"out_bias": np.zeros((1, ntypes, 1)), "out_std": np.ones((1, ntypes, 1))}
