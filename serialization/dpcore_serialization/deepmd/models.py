"""Whole models."""

from collections.abc import Callable
from typing import Any

from dpcore.errors import DPError, suggest
from dpcore.models import (
    FrozenModel,
    InnerPotential,
    LinearModel,
    Model,
    PairTable,
    SpinModel,
    StandardModel,
    ZBLModel,
)
from dpcore_serialization.deepmd.composites import (
    read_inner_potential,
    read_linear,
    read_pair_table,
    read_zbl,
    write_frozen,
    write_inner_potential,
    write_linear,
    write_pair_table,
    write_zbl,
)
from dpcore_serialization.deepmd.fields import UnwritableError
from dpcore_serialization.deepmd.native_spin import read_native_spin, written_with_spins
from dpcore_serialization.deepmd.sezm import in_wrapper, needs_wrapper, read_sezm
from dpcore_serialization.deepmd.spin import read_spin, write_spin
from dpcore_serialization.deepmd.standard import read_standard, write_standard

READERS: dict[str, Callable[[Any, str], Model]] = {
    "standard": read_standard,
    "inner_potential": read_inner_potential,
    "linear": read_linear,
    "linear_ener": read_linear,
    "pairtab": read_pair_table,
    "native_spin": read_native_spin,
    **dict.fromkeys(("SeZM", "sezm", "DPA4", "dpa4", "sezm_native_spin"), read_sezm),
    "spin_ener": read_spin,
    "zbl": read_zbl,
}
WRITERS: dict[type[Model], Callable[[Any], dict[str, Any]]] = {
    StandardModel: write_standard,
    FrozenModel: write_frozen,
    InnerPotential: write_inner_potential,
    LinearModel: write_linear,
    PairTable: write_pair_table,
    SpinModel: write_spin,
    ZBLModel: write_zbl,
}


def read_model(data: Any, path: str = "model") -> Model:
    """Read DeePMD-kit's model dictionary.

    Args:
        data: the dictionary, with NumPy arrays.
        path: where it is in the file, for messages.

    Raises:
        DPError: a kind of model, a key or a value that is not supported, named by its path.
    """
    kind = data.get("type", "standard") if isinstance(data, dict) else None
    if kind not in READERS:
        raise DPError(
            f"{path}.type: the model {kind!r} is not supported{suggest(str(kind), READERS)}"
        )
    return READERS[kind](data, path)


def write_model(model: Model) -> dict[str, Any]:
    """Write a model as DeePMD-kit's dictionary, with the leaves of the tree as they are.

    Raises:
        UnwritableError: DeePMD-kit's files do not know the model.
    """
    data = write_part(model)
    return in_wrapper(data, model) if needs_wrapper(model) else written_with_spins(data, model)


def write_part(model: Model) -> dict[str, Any]:
    """Write a model as it is written inside another one.

    Raises:
        UnwritableError: DeePMD-kit's files do not know the model.
    """
    if type(model) not in WRITERS:
        raise UnwritableError(f"DeePMD-kit's files do not know the model {model.type_name!r}")
    return WRITERS[type(model)](model)
