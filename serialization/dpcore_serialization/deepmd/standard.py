"""Models of one descriptor and one fitting."""

from typing import Any

from dpcore.models import StandardModel
from dpcore_serialization.deepmd.biased import read_biased, write_biased
from dpcore_serialization.deepmd.descriptors import read_descriptor, write_descriptor
from dpcore_serialization.deepmd.fields import Fields, UnwritableError
from dpcore_serialization.deepmd.fittings import read_fitting, variable_of, write_fitting


def read_standard(data: Any, path: str) -> StandardModel:
    """Read a model of one descriptor and one fitting."""
    with Fields(data, path, version=2) as fields:
        descriptor = read_descriptor(fields.take("descriptor"), f"{path}.descriptor")
        fitting = read_fitting(fields.take("fitting"), f"{path}.fitting")
        shared = read_biased(fields, variable_of(fitting))
    return StandardModel(descriptor=descriptor, fitting=fitting, **shared)


def write_standard(model: StandardModel) -> dict[str, Any]:
    """Write a model of one descriptor and one fitting.

    Raises:
        UnwritableError: DeePMD-kit does not know the descriptor, the fitting, or what it leaves out.
    """
    type_map = list(model.type_map)
    _check_exclusions(model)
    return write_biased(model, "standard", 2, variable_of(model.fitting)) | {
        "rcond": model.fitting.rcond,
        "descriptor": write_descriptor(model.descriptor, type_map),
        "fitting": write_fitting(model.fitting, type_map, model.descriptor),
    }


def _check_exclusions(model: StandardModel) -> None:
    """Refuse what DeePMD-kit would overlook: it replaces the fitting's excluded types by the model's."""
    for t in model.fitting.exclude_types:
        if t not in model.atom_exclude_types:
            raise UnwritableError(
                f"fitting.exclude_types: DeePMD-kit's kinds of file leave out the property of type {t} "
                "only together with its bias; name it in model.atom_exclude_types too"
            )
