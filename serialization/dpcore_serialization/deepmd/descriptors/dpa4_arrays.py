"""Where DeePMD-kit keeps the arrays of DPA-4."""

from collections.abc import Iterator
from typing import Any

from dpcore.descriptors.dpa4 import attention, block, cartesian, convolution, feed, messages
from dpcore.descriptors.dpa4.dpa4 import DPA4
from dpcore.descriptors.dpa4.focus_weights import FocusWeights
from dpcore.descriptors.dpa4.seed import EnvironmentSeed
from dpcore.nn import Dense
from dpcore.nn.so3 import depth, focus, gates, grid_net, linear, mixer, norms
from dpcore.tree import Module

# The arrays of modules, and below their children: ``i`` is a module's place in a tuple.
ARRAYS: dict[type[Module], dict[str, str]] = {
    focus.FocusLinear: {"weight": "weight", "bias": "bias"},
    linear.DegreeLinear: {"weight": "weight", "bias": "bias"},
    linear.EdgeLinear: {"bias": "bias0"},
    Dense: {"weight": "matrix", "bias": "bias"},
    norms.RowsNorm: {"scale": "adam_scale", "shift": "bias"},
    grid_net.GridNet: {"scale": "residual_scale"},
    mixer.DegreeMixer: {"weight": "weight", "basis": "channel_basis"},
    depth.DepthMix: {"query": "adamw_pseudo_query"},
    FocusWeights: {
        "weight": "adamw_focus_compete_w",
        "bias": "focus_compete_bias",
    },
    messages.EdgeLayer: {"scale": "adam_so2_layer_scales.{i}"},
    attention.Attention: {
        "rest": "adamw_attn_z_bias_raw",
        "radial": "adamw_attn_logit_w",
        "gate": "adamw_attn_gate_w",
    },
    block.FeedUnit: {"scale": "adam_ffn_layer_scales.{i}"},
    EnvironmentSeed: {
        "factor": "film_scale_strength_log",
        "shift": "film_shift_strength_log",
        "spin": "env_seed_embedding.spin_scale",
    },
}

CHILDREN: dict[type[Module], dict[str, str]] = {
    gates.Gated: {"gates": "gate_linear."},
    grid_net.GridProduct: {
        "left": "grid_op.left_proj.",
        "right": "grid_op.right_proj.",
        "out": "grid_op.out_proj.",
        "router": "grid_op.router.",
    },
    grid_net.GridNet: {
        "product": "",
        "gate": "scalar_gate.",
        "expand": "frame_expand.",
        "contract": "frame_contract.",
    },
    FocusWeights: {},
    messages.EdgeLayer: {
        "norm": "so2_inter_norms.{i}.",
        "linear": "so2_linears.{i}.",
        "activation": "non_linearities.{i}.",
    },
    messages.FrameMessage: {
        "mixer": "radial_degree_mixer.",
        "product": "node_wise_grid_product.",
        "layers": "",
        "mixes": "so2_layer_attn_res.{i}.",
        "weights": "",
    },
    messages.RadialMessage: {"weights": ""},
    cartesian.CartesianLayer: {"linear": "linears.{i}.", "activation": "activations.{i}."},
    cartesian.CartesianMessage: {"layers": "edge_cartesian_tp.", "weights": ""},
    cartesian.CartesianProduct: {"layers": ""},
    attention.Attention: {
        "query": "attn_q_proj.",
        "key": "attn_k_proj.",
        "value": "attn_v_proj.",
        "out": "attn_o_proj.",
    },
    convolution.Convolution: {
        "enter": "pre_focus_mix.",
        "message": "",
        "mix": "attn_focus_mix.",
        "attention": "",
        "product": "message_node_grid_product.",
        "cartesian": "node_cartesian_tp.",
        "leave": "post_focus_mix.",
    },
    feed.FeedForward: {
        "enter": "so3_linear_1.",
        "activation": "act.",
        "leave": "so3_linear_2.",
    },
    block.FeedUnit: {
        "before": "pre_ffn_norms.{i}.",
        "network": "ffns.{i}.",
        "after": "post_ffn_norms.{i}.",
    },
    block.MessageUnit: {
        "before": "pre_so2_norm.",
        "convolution": "so2_conv.",
        "after": "post_so2_norm.",
    },
    block.Block: {"messages": "", "feeds": ""},
    block.Blocks: {"blocks": "blocks.{i}."},
}

# Arrays of modules whose place in a file depends on what they are part of: by the parent, its child's field
# and the array.
SPECIAL: dict[type[Module], dict[str, str]] = {
    attention.Attention: {
        "norm.scale": "attn_qk_norm.adam_scale",
        "gate_norm.scale": "attn_output_gate_norm.adam_scale",
    },
    FocusWeights: {"norm.scale": "focus_compete_norm.adam_scale"},
    messages.EdgeLayer: {
        "norm.scale": "so2_inter_norms.{i}.adam_scale",
        "norm.shift": "so2_inter_norms.{i}.bias0",
    },
    depth.DepthMix: {
        "norm.scale": "key_norm.adam_scale",
        "network.weight": "query_proj.weight",
        "network.bias": "query_proj.bias",
    },
    convolution.Convolution: {"radial.weight": "radial_hidden_proj.weight"},
}


def places(module: Any, path: str, key: str, i: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the paths of a module's arrays with their keys in a file.

    Args:
        module: the module.
        path: its path, with a dot at the end.
        key: what its keys begin with.
        i: its place in a tuple.
    """
    kind, taken = type(module), set[str]()
    for name, suffix in SPECIAL.get(kind, {}).items():
        child = getattr(module, name.partition(".")[0])
        taken.add(name.partition(".")[0])
        if child is not None and getattr(child, name.partition(".")[2]) is not None:
            yield path + name, key + suffix.format(i=i)
    for name, suffix in ARRAYS.get(kind, {}).items():
        if getattr(module, name) is not None:
            yield path + name, key + suffix.format(i=i)
    if isinstance(module, linear.EdgeLinear):
        for m in range(len(module.orders)):
            name = f"weight_m.{m - 1}" if m else "weight_m0"
            yield f"{path}orders.{m}.weight", key + name
    for name, prefix in CHILDREN.get(kind, {}).items():
        child = getattr(module, name)
        if name in taken or child is None:
            continue
        if isinstance(child, tuple):
            for j, each in enumerate(child):
                yield from places(each, f"{path}{name}.{j}.", key + prefix.format(i=j), j)
        else:
            yield from places(child, f"{path}{name}.", key + prefix.format(i=i), i)


def all_places(descriptor: DPA4) -> Iterator[tuple[str, str]]:
    """Yield the paths of all arrays that a file has, with their keys."""
    yield "type_embedding.weight", "type_embedding.adam_type_embedding"
    yield "basis.places", "radial_basis.adam_freqs"
    step = 3 if descriptor.radial.norms else 2
    for i in range(len(descriptor.radial.layers)):
        yield f"radial.layers.{i}.weight", f"radial_embedding.net.{step * i}.matrix"
    for i in range(len(descriptor.radial.norms)):
        yield f"radial.norms.{i}.scale", f"radial_embedding.net.{3 * i + 1}.adam_scale"
    if descriptor.charge_spin is not None:
        yield from _charge_spin_places()
    if descriptor.spin is not None:
        yield from _spin_places()
    if descriptor.seed is not None:
        yield from _seed_places(descriptor.seed)
    yield from places(descriptor.layers, "layers.", "")
    yield from _mix_places(descriptor)
    *first, last = range(len(descriptor.readout))
    keys = [f"readout_pre_layers.{i}." for i in first] + ["output_ffn."]
    for i, key in zip((*first, last), keys, strict=True):
        yield from places(descriptor.readout[i], f"readout.{i}.", key)


def _charge_spin_places() -> Iterator[tuple[str, str]]:
    start = "charge_spin_embedding."
    for name in ("charge", "spin"):
        key = f"{start}{name}_embedding.adam_type_embedding"
        yield f"charge_spin.{name}.net.layers.0.weight", key
    yield "charge_spin.mix.weight", f"{start}mix_layer.matrix"
    yield "charge_spin.mix.bias", f"{start}mix_layer.bias"


def _spin_places() -> Iterator[tuple[str, str]]:
    for i in range(2):
        yield f"spin.layers.{i}.weight", f"spin_embedding.mag_layer{i + 1}.matrix"
    yield "spin.own", "spin_embedding.adam_spin_vec_weight"
    yield "spin.neighbour", "spin_embedding.adam_spin_nbr_weight"


def _seed_places(seed: EnvironmentSeed) -> Iterator[tuple[str, str]]:
    start = "env_seed_embedding."
    yield "seed.types.weight", f"{start}env_type_embed.adam_type_embedding"
    yield "seed.out.weight", f"{start}output_proj.matrix"
    for name, key in (("radial", "rbf_proj_layer"), ("pair", "g_layer")):
        for i, layer in enumerate(getattr(seed, name)):
            yield from places(layer, f"seed.{name}.{i}.", f"{start}{key}{i + 1}.")
    for i, key in zip(range(len(seed.norms)), ("scale", "shift"), strict=False):
        yield f"seed.norms.{i}.scale", f"film_{key}_norm.adam_scale"
    yield from places(seed, "seed.", "")


def _mix_places(descriptor: DPA4) -> Iterator[tuple[str, str]]:
    layers, names = descriptor.layers, list[str]()
    if not layers.mixes:
        return
    mode = "full" if layers.full else "block"
    for b, each in enumerate(layers.blocks):
        names.append(f"blocks.{b}.{mode}_attn_res_so2.")
        names += [f"blocks.{b}.{mode}_attn_res_ffns.{i}." for i in range(len(each.feeds))]
    names.append(f"final_{mode}_attn_res.")
    for i, name in enumerate(names):
        yield from places(layers.mixes[i], f"layers.mixes.{i}.", name)
