"""The three-body embedding descriptor with one network for all types."""

from typing import Any

from dpcore.descriptors import SeE3Tebd
from dpcore_serialization.deepmd.descriptors.local import (
    built,
    read_local,
    read_nets,
    write_local,
    write_nets,
)
from dpcore_serialization.deepmd.fields import Fields, as_list
from dpcore_serialization.deepmd.type_embedding import read_type_embedding, write_type_embedding

_SETTINGS = ("tebd_dim", "tebd_input_mode", "smooth", "concat_output_tebd")


def read_se_e3_tebd(data: Any, path: str) -> SeE3Tebd:
    """Read a three-body embedding descriptor with a type embedding."""
    with Fields(data, path, version=2) as fields:
        type_map = data.get("type_map")
        values = read_local(fields) | {key: fields.take(key) for key in _SETTINGS}
        values["nets"] = read_nets(fields, "embeddings", values)
        if values["tebd_input_mode"] == "strip":
            (values["type_net"],) = read_nets(fields, "embeddings_strip", values)
        embedding = read_type_embedding(
            fields.take("type_embedding"), f"{path}.type_embedding", type_map
        )
        fields.skip("use_econf_tebd", "use_tebd_bias")
    if len(values["sel"]) == 1:
        (values["sel"],) = values["sel"]
    for key in ("use_econf_tebd", "use_tebd_bias"):
        values[key] = getattr(embedding, key)
    return built(SeE3Tebd, values | {"type_embedding": embedding}, path)


def write_se_e3_tebd(descriptor: SeE3Tebd, type_map: list[str]) -> dict[str, Any]:
    """Write a three-body embedding descriptor with a type embedding."""
    types, strip = 2 * descriptor.tebd_dim, descriptor.type_net is not None
    return {
        **write_local(descriptor, type_map, "se_e3_tebd", version=1),
        "sel": as_list(descriptor.sel) if isinstance(descriptor.sel, tuple) else [descriptor.sel],
        "ntypes": descriptor.ntypes,
        **{key: getattr(descriptor, key) for key in _SETTINGS},
        "use_econf_tebd": descriptor.use_econf_tebd,
        "embeddings": write_nets(descriptor, descriptor.nets, 0, 1 if strip else 1 + types),
        **(
            {"embeddings_strip": write_nets(descriptor, (descriptor.type_net,), 0, types)}
            if strip
            else {}
        ),
        "type_embedding": write_type_embedding(descriptor.own_types),
    }
