"""Random layers of a repflow, and whether layers fit its settings."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dpcore.descriptors.dpa3.layer import AngleUpdate, EdgeUpdate, NodeUpdate, RepflowLayer
from dpcore.descriptors.dpa3.settings import RepflowSettings
from dpcore.errors import DPError
from dpcore.nn.linear import linear
from dpcore.nn.residual import Residual
from dpcore.xp import shape

Sizes = Mapping[str, tuple[int, int]]

# Layers without activation and bias.
_SHORTENING = ("node", "edge")


def draw_layer(rng: np.random.Generator, told: RepflowSettings, **common: Any) -> RepflowLayer:
    """Draw a layer.

    Args:
        rng: source of the random numbers.
        told: what the repflow is told.
        common: ``activation_function``, ``precision`` and ``trainable``.
    """
    parts, plain = parts_of(told), {k: common[k] for k in ("precision", "trainable")}
    node, edge = (_drawn(rng, parts[key], told, common) for key in ("node", "edge"))
    angle = None
    if "angle" in parts:
        sizes = dict(parts["angle"])
        shorter = {key: sizes.pop(key) for key in _SHORTENING if key in sizes}
        short: dict[str, Any] = {
            key: linear(rng, *s, bias=False, **plain) for key, s in shorter.items()
        }
        angle = AngleUpdate(**_drawn(rng, sizes, told, common), **short)
    return RepflowLayer(node=NodeUpdate(**node), edge=EdgeUpdate(**edge), angle=angle)


def _drawn(
    rng: np.random.Generator, sizes: Sizes, told: RepflowSettings, common: Mapping[str, Any]
) -> dict[str, Any]:
    """Return layers of some shapes, and the residual of shape ``(update, width)``."""
    plain = {key: common[key] for key in ("precision", "trainable")}
    layers = {k: linear(rng, *s, **common) for k, s in sizes.items() if k != "residual"}
    style: dict[str, Any] = {
        "style": told.updates.update_style,
        "scale": told.updates.update_residual,
    }
    style |= {"start": told.updates.update_residual_init}
    updates, width = sizes["residual"]
    return layers | {"residual": Residual.create(rng, width, updates, **style, **plain)}


def parts_of(told: RepflowSettings) -> dict[str, dict[str, tuple[int, int]]]:
    """Return the shapes of the weights of a layer, by update and name."""
    sizes, angles = told.sizes, told.updates.update_angle
    n, e, a, heads = sizes.n_dim, sizes.e_dim, sizes.a_dim, sizes.n_multi_edge_message
    pair, triple = 2 * n + e, told.seen_by_angles
    parts: dict[str, dict[str, tuple[int, int]]] = {
        "node": {
            "own": (n, n),
            "symmetric": ((n + e) * sizes.axis_neuron, n),
            "message": (pair, heads * n),
            "residual": (2 + heads, n),
        },
        "edge": {"own": (pair, e), "residual": (1 + angles, e)},
    }
    if angles:
        parts["edge"] |= {"angular": (triple, e), "received": (e, e)}
        parts["angle"] = {"own": (triple, a), "residual": (1, a)}
        if told.compression.has_layers:
            node, edge = told.compression.widths(sizes)
            parts["angle"] |= {"node": (n, node), "edge": (e, edge)}
    return parts


def check_layer(layer: RepflowLayer, told: RepflowSettings, where: str) -> None:
    """Raise a one-line error for a layer that does not fit the settings.

    Args:
        layer: the layer.
        told: the settings.
        where: its place, for the message.
    """
    parts, style = parts_of(told), told.updates.update_style
    for name in ("node", "edge", "angle"):
        update, sizes = getattr(layer, name), parts.get(name, {})
        if (update is None) != (not sizes):
            raise DPError(f"{where}.{name}: update_angle is {told.updates.update_angle}")
        for key, value in vars(update).items() if update is not None else ():
            if isinstance(value, Residual):
                if value.style != style:
                    raise DPError(
                        f"{where}.{name}.residual: {value.style}, but update_style is {style}"
                    )
                found: Any = [shape(weight) for weight in value.weights or ()]
                updates, width = sizes["residual"]
                needed: Any = [(width,)] * (updates if style == "res_residual" else 0)
            else:
                found, needed = None if value is None else shape(value.weight), sizes.get(key)
            if found != needed:
                raise DPError(f"{where}.{name}.{key}: shape {found}; these settings need {needed}")
