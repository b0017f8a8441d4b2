"""Fittings, one file for each kind."""

from collections.abc import Callable
from typing import Any

from dpcore.descriptors import Descriptor
from dpcore.errors import DPError, suggest
from dpcore.fittings import (
    DipoleFitting,
    DOSFitting,
    EnergyFitting,
    Fitting,
    GatedEnergyFitting,
    PolarFitting,
    PropertyFitting,
)
from dpcore_serialization.deepmd.fields import UnwritableError
from dpcore_serialization.deepmd.fittings.dipole import read_dipole, write_dipole
from dpcore_serialization.deepmd.fittings.dos import read_dos, write_dos
from dpcore_serialization.deepmd.fittings.energy import read_energy, write_energy
from dpcore_serialization.deepmd.fittings.gated_energy import (
    read_gated_energy,
    write_gated_energy,
)
from dpcore_serialization.deepmd.fittings.polar import read_polar, write_polar
from dpcore_serialization.deepmd.fittings.property import read_property, write_property

READERS: dict[str, Callable[[Any, str], Fitting]] = {
    "ener": read_energy,
    "dpa4_ener": read_gated_energy,
    "sezm_ener": read_gated_energy,
    "dipole": read_dipole,
    "polar": read_polar,
    "dos": read_dos,
    "property": read_property,
}
WRITERS: dict[type[Fitting], Callable[[Any, list[str], Descriptor], dict[str, Any]]] = {
    EnergyFitting: write_energy,
    GatedEnergyFitting: write_gated_energy,
    DipoleFitting: write_dipole,
    PolarFitting: write_polar,
    DOSFitting: write_dos,
    PropertyFitting: write_property,
}


def read_fitting(data: Any, path: str) -> Fitting:
    """Read a fitting of any supported type."""
    kind = data.get("type") if isinstance(data, dict) else None
    if kind not in READERS:
        raise DPError(
            f"{path}.type: the fitting {kind!r} is not supported{suggest(str(kind), READERS)}"
        )
    return READERS[kind](data, path)


def write_fitting(fitting: Fitting, type_map: list[str], descriptor: Descriptor) -> dict[str, Any]:
    """Write the fitting of a descriptor.

    Raises:
        UnwritableError: DeePMD-kit's files do not know the fitting.
    """
    if type(fitting) not in WRITERS:
        raise UnwritableError(f"DeePMD-kit's files do not know the fitting {fitting.type_name!r}")
    return WRITERS[type(fitting)](fitting, type_map, descriptor)


def variable_of(fitting: Fitting) -> str:
    """Return DeePMD-kit's name of what a fitting gives for an atom."""
    names = {DipoleFitting: "dipole", PolarFitting: "polarizability"}
    return names.get(type(fitting), fitting.output.total)
