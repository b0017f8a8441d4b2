"""Several descriptors in one."""

from typing import Any

from dpcore.descriptors import Hybrid
from dpcore.errors import DPError
from dpcore_serialization.deepmd.fields import Fields


def read_hybrid(data: Any, path: str) -> Hybrid:
    """Read a list of descriptors."""
    from dpcore_serialization.deepmd.descriptors import read_descriptor

    with Fields(data, path) as fields:
        fields.skip("type", "type_map", "ntypes")
        children = fields.take("list")
    if not isinstance(children, list):
        raise DPError(f"{path}.list: a list of descriptors is expected")
    return Hybrid(
        children=tuple(
            read_descriptor(child, f"{path}.list.{i}") for i, child in enumerate(children)
        )
    )


def write_hybrid(descriptor: Hybrid, type_map: list[str]) -> dict[str, Any]:
    """Write a list of descriptors."""
    from dpcore_serialization.deepmd.descriptors import write_descriptor

    children = [write_descriptor(child, type_map) for child in descriptor.children]
    return {"@class": "Descriptor", "type": "hybrid", "@version": 1, "list": children}
