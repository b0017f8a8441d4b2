"""Attention layers."""

from collections.abc import Mapping, Sequence
from typing import Any

from dpcore.errors import DPError
from dpcore.nn.attention import AttentionLayer
from dpcore.nn.layer_norm import LayerNorm
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.networks import read_layer, write_layer

# What tables of attention repeat of the descriptor's settings.
_REPEATED: tuple[str, ...] = (
    "nnei",
    "embed_dim",
    "hidden_dim",
    "dotr",
    "do_mask",
    "scaling_factor",
    "normalize",
)
_REPEATED += ("temperature", "trainable_ln", "ln_eps", "precision")


def read_attention(data: Any, path: str, *, trainable: bool) -> tuple[AttentionLayer, ...]:
    """Read the attention layers of a descriptor.

    Args:
        data: their table.
        path: where it is in the file.
        trainable: whether the layers are trained, for files that do not say.
    """
    with Fields(data, path) as fields:
        fields.skip("layer_num", "smooth", *_REPEATED)
        layers = fields.take("attention_layers")
    if not isinstance(layers, list):
        raise DPError(f"{path}.attention_layers: a list of layers is expected")
    return tuple(
        _read_layer(layer, f"{path}.attention_layers.{i}", trainable=trainable)
        for i, layer in enumerate(layers)
    )


def _read_layer(data: Any, path: str, *, trainable: bool) -> AttentionLayer:
    with Fields(data, path) as fields:
        fields.skip("smooth", *_REPEATED)
        norm = read_norm(fields.take("attn_layer_norm"), f"{path}.attn_layer_norm")
        here = f"{path}.attention_layer"
        with Fields(fields.take("attention_layer"), here) as inner:
            inner.skip("bias", "smooth", *_REPEATED)
            inner.neutral("num_heads", 1)
            projections = {
                key: read_layer(inner.take(key), f"{here}.{key}", trainable=trainable)
                for key in ("in_proj", "out_proj")
            }
    return AttentionLayer(norm=norm, **projections)


def read_norm(data: Any, path: str) -> LayerNorm:
    """Read a layer normalisation."""
    with Fields(data, path) as fields:
        values = {key: fields.take(key) for key in ("eps", "trainable", "precision")}
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            scale, shift = variables.array("w", 1), variables.array("b", 1)
    check_kinds(LayerNorm, values, path)
    return LayerNorm(scale=scale, shift=shift, **values)


def write_attention(
    layers: Sequence[AttentionLayer], repeated: Mapping[str, Any], *, smooth: bool
) -> dict[str, Any]:
    """Write the attention layers of a descriptor.

    Args:
        layers: the layers.
        repeated: what each table repeats: ``nnei``, ``embed_dim``, ``hidden_dim``, ``dotr``, ``do_mask``,
            ``scaling_factor``, ``normalize``, ``temperature`` and ``precision``.
        smooth: whether they are switched off towards the cutoff.
    """
    written = [_write_layer(layer, repeated, smooth=smooth) for layer in layers]
    trainable = all(layer.norm.trainable for layer in layers)
    return {
        "@class": "NeighborGatedAttention",
        "@version": 1,
        "layer_num": len(layers),
        **repeated,
        "trainable_ln": trainable,
        "attention_layers": written,
    }


def _write_layer(
    layer: AttentionLayer, repeated: Mapping[str, Any], *, smooth: bool
) -> dict[str, Any]:
    norm = layer.norm
    return {
        **repeated,
        "trainable_ln": norm.trainable,
        "ln_eps": norm.eps,
        "attention_layer": {
            **repeated,
            "num_heads": 1,
            "bias": layer.in_proj.bias is not None,
            "smooth": smooth,
            "in_proj": write_layer(layer.in_proj),
            "out_proj": write_layer(layer.out_proj),
        },
        "attn_layer_norm": write_norm(norm),
    }


def write_norm(norm: LayerNorm) -> dict[str, Any]:
    """Write a layer normalisation."""
    return {
        "@class": "LayerNorm",
        "@version": 1,
        "eps": norm.eps,
        "trainable": norm.trainable,
        "precision": norm.precision,
        "@variables": {"w": norm.scale, "b": norm.shift},
    }
