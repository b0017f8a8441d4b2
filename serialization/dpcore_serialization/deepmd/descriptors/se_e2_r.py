"""The two-body embedding descriptor of distances alone."""

from typing import Any

from dpcore.descriptors import SeE2R
from dpcore_serialization.deepmd.descriptors.local import built, read_radial, write_radial
from dpcore_serialization.deepmd.fields import Fields, UnwritableError


def read_se_e2_r(data: Any, path: str) -> SeE2R:
    """Read a descriptor of distances alone."""
    with Fields(data, path, version=3) as fields:
        values = read_radial(fields)
    return built(SeE2R, values, path)


def write_se_e2_r(descriptor: SeE2R, type_map: list[str]) -> dict[str, Any]:
    """Write a descriptor of distances alone.

    Raises:
        UnwritableError: DeePMD-kit refuses, or misreads, networks for pairs of types.
    """
    if not descriptor.type_one_side:
        raise UnwritableError("DeePMD-kit's files know se_e2_r with type_one_side = true alone")
    return write_radial(descriptor, type_map, "se_r")
