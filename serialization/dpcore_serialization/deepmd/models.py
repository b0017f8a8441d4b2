"""Whole models."""

from collections.abc import Callable
from typing import Any

from dpcore.errors import DPError, suggest
from dpcore.models import (
    FrozenModel,
    LinearModel,
    Model,
    PairTable,
    SpinModel,
    StandardModel,
    ZBLModel,
)
from dpcore_serialization.deepmd.composites import (
    read_linear,
    read_pair_table,
    read_zbl,
    write_frozen,
    write_linear,
    write_pair_table,
    write_zbl,
)
from dpcore_serialization.deepmd.fields import UnwritableError
from dpcore_serialization.deepmd.spin import read_spin, write_spin
from dpcore_serialization.deepmd.standard import read_standard, write_standard

READERS: dict[str, Callable[[Any, str], Model]] = {
    "standard": read_standard,
    "linear": read_linear,
    "linear_ener": read_linear,
    "pairtab": read_pair_table,
    "spin_ener": read_spin,
    "zbl": read_zbl,
}
WRITERS: dict[type[Model], Callable[[Any], dict[str, Any]]] = {
    StandardModel: write_standard,
    FrozenModel: write_frozen,
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
    if type(model) not in WRITERS:
        raise UnwritableError(f"DeePMD-kit's files do not know the model {model.type_name!r}")
    return WRITERS[type(model)](model)
