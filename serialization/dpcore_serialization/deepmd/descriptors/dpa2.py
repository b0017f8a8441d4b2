"""The descriptor DPA-2."""

from typing import Any

from dpcore.descriptors import DPA2, SeAtten, SeE3Tebd
from dpcore.descriptors.dpa2.common import Common
from dpcore.descriptors.dpa2.repinit import RepinitSettings
from dpcore_serialization.deepmd.descriptors.local import (
    checked,
    read_statistics,
    write_environment,
    write_nets,
)
from dpcore_serialization.deepmd.descriptors.repformer import read_repformer, write_repformer
from dpcore_serialization.deepmd.descriptors.sections import read_section, write_section
from dpcore_serialization.deepmd.fields import Fields, UnwritableError, as_list, pairs
from dpcore_serialization.deepmd.networks import read_layer, read_networks, write_layer
from dpcore_serialization.deepmd.type_embedding import read_type_embedding, write_type_embedding

_SETTINGS: tuple[str, ...] = ("concat_output_tebd", "precision", "smooth", "env_protection")
_SETTINGS += ("trainable", "add_tebd_to_repinit_out")
_TYPES = ("use_econf_tebd", "use_tebd_bias")
# What files of older versions do not say, as those versions did it.
_OLDER = {"use_sqrt_nnei": False, "g1_out_conv": False, "g1_out_mlp": False}


def read_dpa2(data: Any, path: str) -> DPA2:
    """Read a DPA-2 descriptor."""
    with Fields(data, path, version=4) as fields:
        older = _OLDER if data.get("@version", 1) < 3 else {}
        fields.skip("type", "ntypes", *_TYPES)
        type_map = fields.take("type_map", None)
        values = {key: fields.take(key) for key in _SETTINGS}
        values["exclude_types"] = pairs(fields.take("exclude_types", ()))
        embedding = read_type_embedding(
            fields.take("type_embedding"), f"{path}.type_embedding", type_map
        )
        common = Common.of(checked(DPA2, values, path))
        repinit = read_section(fields.take("repinit_args"), f"{path}.repinit_args", RepinitSettings)
        values["repinit"] = repinit
        told = repinit.pairs_told(common) | {"attention": (), "degree_gain": None}
        values["pairs"] = _read_block(fields, "repinit_variable", SeAtten, told)
        blocks = [values["pairs"]]
        if repinit.use_three_body:
            told = repinit.triples_told(common)
            values["triples"] = _read_block(fields, "repinit_three_body_variable", SeE3Tebd, told)
            blocks.append(values["triples"])
        values["repformer"], values["messages"] = read_repformer(fields, common, older)
        width = (sum(block.width for block in blocks), values["repformer"].g1_dim)
        bridge = fields.take("g1_shape_tranform")
        trainable = common.trainable
        if width[0] != width[1]:
            where = f"{path}.g1_shape_tranform"
            values["bridge"] = read_layer(bridge, where, trainable=trainable)
        if values["add_tebd_to_repinit_out"]:
            values["type_bridge"] = read_layer(
                fields.take("tebd_transform"), f"{path}.tebd_transform", trainable=trainable
            )
    values |= {key: getattr(embedding, key) for key in _TYPES}
    return DPA2(type_embedding=embedding, **values)


def _read_block(fields: Fields, key: str, kind: type[SeAtten] | type[SeE3Tebd], told: Any) -> Any:
    path, flags = f"{fields.path}.{key}", [bool(told["trainable"])]
    with Fields(fields.take(key), path) as block:
        block.skip("env_mat")
        values = read_statistics(block)
        values["nets"] = read_networks(block.take("embeddings"), f"{path}.embeddings", flags)
        if told["tebd_input_mode"] == "strip":
            (values["type_net"],) = read_networks(
                block.take("embeddings_strip"), f"{path}.embeddings_strip", flags
            )
    return kind(type_embedding=None, **told, **values)


def write_dpa2(descriptor: DPA2, type_map: list[str]) -> dict[str, Any]:
    """Write a DPA-2 descriptor."""
    bridge = descriptor.bridge
    if descriptor.triples is not None and descriptor.pairs.width == descriptor.repformer.g1_dim:
        raise UnwritableError(
            "DeePMD-kit does not read the linear layer behind repinit where that alone, without its "
            "three-body part, is as wide as g1_dim"
        )
    data = {
        "@class": "Descriptor",
        "type": "dpa2",
        "@version": 3,
        "ntypes": descriptor.ntypes,
        "repinit_args": write_section(descriptor.repinit),
        **{key: getattr(descriptor, key) for key in (*_SETTINGS, *_TYPES)},
        "exclude_types": as_list(descriptor.exclude_types),
        "type_map": type_map,
        "type_embedding": write_type_embedding(descriptor.type_embedding),
        "g1_shape_tranform": _IDENTITY if bridge is None else write_layer(bridge),
        "repinit_variable": _write_block(descriptor.pairs, descriptor.ntypes),
        **write_repformer(descriptor),
    }
    if descriptor.type_bridge is not None:
        data["tebd_transform"] = write_layer(descriptor.type_bridge)
    if descriptor.triples is not None:
        data["repinit_three_body_variable"] = _write_block(descriptor.triples, descriptor.ntypes)
    return data


_IDENTITY = {"@class": "Identity", "@version": 1}


def _write_block(block: Any, ntypes: int) -> dict[str, Any]:
    if not isinstance(block, (SeAtten, SeE3Tebd)):
        raise UnwritableError("a descriptor that was made ready for evaluation cannot be written")
    n_in = block.net_inputs[0]
    data = {
        "embeddings": write_nets(block, block.nets, 0, n_in, ntypes),
        **write_environment(block),
    }
    if block.type_net is not None:
        types = block.told(vars(block)) * block.tebd_dim
        data["embeddings_strip"] = write_nets(block, (block.type_net,), 0, types, ntypes)
    return data
