"""The attention-based descriptors."""

from typing import Any

from dpcore.descriptors import SeAtten, SeAttenV2
from dpcore.descriptors.attended import AttendedDescriptor
from dpcore_serialization.deepmd.attention import read_attention, write_attention
from dpcore_serialization.deepmd.descriptors.local import (
    built,
    read_local,
    read_nets,
    write_local,
    write_nets,
)
from dpcore_serialization.deepmd.fields import Fields, UnwritableError
from dpcore_serialization.deepmd.type_embedding import read_type_embedding, write_type_embedding

_SETTINGS: tuple[str, ...] = (
    "axis_neuron",
    "tebd_dim",
    "attn",
    "attn_layer",
    "attn_dotr",
    "scaling_factor",
)
_SETTINGS += ("normalize", "temperature", "trainable_ln", "ln_eps", "type_one_side")
_SETTINGS += ("concat_output_tebd",)
_TYPES = ("use_econf_tebd", "use_tebd_bias")
_MODES = ("tebd_input_mode", "smooth_type_embedding")


def read_se_atten(data: Any, path: str) -> SeAtten:
    """Read an attention-based descriptor."""
    values = _read(data, path, SeAtten, _MODES)
    return built(SeAtten, values, path)


def read_se_atten_v2(data: Any, path: str) -> SeAttenV2:
    """Read the second version of the attention-based descriptor."""
    return built(SeAttenV2, _read(data, path, SeAttenV2, ()), path)


def _read(
    data: Any, path: str, kind: type[AttendedDescriptor], modes: tuple[str, ...]
) -> dict[str, Any]:
    data, gain = _without_gain(data)
    with Fields(data, path, version=4) as fields:
        type_map = data.get("type_map")
        values = read_local(fields) | {key: fields.take(key) for key in (*_SETTINGS, *modes)}
        values["attn_mask"] = fields.take("attn_mask", False)
        values |= {"lmax": fields.take("lmax", 1), "degree_gain": gain}
        fields.neutral("spin", None)
        fields.skip(*_TYPES)
        values["nets"] = read_nets(fields, "embeddings", values)
        if kind.strips(values):
            (values["type_net"],) = read_nets(fields, "embeddings_strip", values)
        values["attention"] = read_attention(
            fields.take("attention_layers"),
            f"{path}.attention_layers",
            trainable=values["trainable"] is not False,
        )
        embedding = read_type_embedding(
            fields.take("type_embedding"), f"{path}.type_embedding", type_map
        )
    values |= {key: getattr(embedding, key) for key in _TYPES}
    return values | {"type_embedding": embedding}


def _without_gain(data: Any) -> tuple[Any, Any]:
    """Return a table without the gains of degrees, and these."""
    variables = data.get("@variables")
    if not isinstance(variables, dict) or "degree_gain_raw" not in variables:
        return data, None
    rest = dict(variables)
    gain = rest.pop("degree_gain_raw")
    return {**data, "@variables": rest}, gain


def write_se_atten(descriptor: SeAtten, type_map: list[str]) -> dict[str, Any]:
    """Write an attention-based descriptor."""
    modes = {key: getattr(descriptor, key) for key in _MODES}
    return _write(descriptor, type_map, "dpa1") | modes


def write_se_atten_v2(descriptor: SeAttenV2, type_map: list[str]) -> dict[str, Any]:
    """Write the second version of the attention-based descriptor."""
    return _write(descriptor, type_map, "se_atten_v2")


def _write(descriptor: AttendedDescriptor, type_map: list[str], kind: str) -> dict[str, Any]:
    if descriptor.attn_mask:
        raise UnwritableError("DeePMD-kit's files do not know attn_mask = true")
    types = descriptor.told(vars(descriptor)) * descriptor.tebd_dim
    strip = descriptor.type_net is not None
    data = {
        **write_local(descriptor, type_map, kind, version=2),
        "ntypes": descriptor.ntypes,
        **{key: getattr(descriptor, key) for key in (*_SETTINGS, *_TYPES)},
        "attn_mask": False,
        "spin": None,
        "embeddings": write_nets(descriptor, descriptor.nets, 0, 1 if strip else 1 + types),
        "attention_layers": _write_attention(descriptor),
        "type_embedding": write_type_embedding(descriptor.own_types),
    }
    if strip:
        data["embeddings_strip"] = write_nets(descriptor, (descriptor.type_net,), 0, types)
    if descriptor.lmax > 1:
        data |= {"@version": 4, "lmax": descriptor.lmax}
        data["@variables"]["degree_gain_raw"] = descriptor.degree_gain
    return data


def _write_attention(descriptor: AttendedDescriptor) -> dict[str, Any]:
    repeated = {
        "nnei": descriptor.places,
        "embed_dim": descriptor.neuron[-1],
        "hidden_dim": descriptor.attn,
        "dotr": descriptor.attn_dotr,
        "do_mask": False,
        **{key: getattr(descriptor, key) for key in ("scaling_factor", "normalize", "temperature")},
        "precision": descriptor.precision,
    }
    written = write_attention(descriptor.attention, repeated, smooth=descriptor.smooth)
    return written | {"trainable_ln": descriptor.trainable_ln, "ln_eps": descriptor.eps}
