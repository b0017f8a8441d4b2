"""Models that pass messages: those of DeePMD-kit's own examples of water."""

from typing import Any, TypeVar, cast

import numpy as np

from dpcore.tree import Leaf, Tree, rebuild

T = TypeVar("T", bound=Tree)
Settings = dict[str, Any]

_SILUT = "silut:10.0"
_FITTING: Settings = {"neuron": [240, 240, 240], "resnet_dt": True, "seed": 1}


def _dpa2(nlayers: int, *, attention: bool) -> Settings:
    """Return a model with DPA-2, of some layers with or without attention among neighbours."""
    repinit = {
        "tebd_dim": 8,
        "rcut": 6.0,
        "rcut_smth": 0.5,
        "nsel": 120,
        "neuron": [25, 50, 100],
        "axis_neuron": 12,
        "activation_function": "tanh",
        "three_body_sel": 48,
        "three_body_rcut": 4.0,
        "three_body_rcut_smth": 3.5,
        "use_three_body": True,
    }
    repformer = {
        "rcut": 4.0,
        "rcut_smth": 3.5,
        "nsel": 48,
        "nlayers": nlayers,
        "g1_dim": 128,
        "g2_dim": 32,
        "attn2_hidden": 32,
        "attn2_nhead": 4,
        "attn1_hidden": 128,
        "attn1_nhead": 4,
        "axis_neuron": 4,
        "update_h2": False,
        "update_g1_has_conv": True,
        "update_g1_has_grrg": True,
        "update_g1_has_drrd": True,
        "update_g1_has_attn": False,
        "update_g2_has_g1g1": False,
        "update_g2_has_attn": attention,
        "update_style": "res_residual",
        "update_residual": 0.01,
        "update_residual_init": "norm",
        "attn2_has_gate": True,
        "use_sqrt_nnei": True,
        "g1_out_conv": True,
        "g1_out_mlp": True,
    }
    descriptor = {
        "type": "dpa2",
        "repinit": repinit,
        "repformer": repformer,
        "precision": "float64",
        "add_tebd_to_repinit_out": False,
        "seed": 1,
    }
    return {"descriptor": descriptor, "fitting_net": _FITTING | {"precision": "float64"}}


def _dpa3(e_sel: int, a_sel: int, **more: Any) -> Settings:
    """Return a model with DPA-3, of so many edges and edges with angles of an atom at most."""
    repflow = {
        "n_dim": 128,
        "e_dim": 64,
        "a_dim": 32,
        "nlayers": 6,
        "e_rcut": 6.0,
        "e_rcut_smth": 5.3,
        "e_sel": e_sel,
        "a_rcut": 4.0,
        "a_rcut_smth": 3.5,
        "a_sel": a_sel,
        "axis_neuron": 4,
        "fix_stat_std": 0.3,
        "a_compress_rate": 1,
        "a_compress_e_rate": 2,
        "a_compress_use_split": True,
        "update_angle": True,
        "smooth_edge_update": True,
        "edge_init_use_dist": True,
        "use_exp_switch": True,
        "update_style": "res_residual",
        "update_residual": 0.1,
        "update_residual_init": "const",
        **more,
    }
    descriptor = {
        "type": "dpa3",
        "repflow": repflow,
        "activation_function": _SILUT,
        "use_tebd_bias": False,
        "precision": "float32",
        "concat_output_tebd": False,
        "seed": 1,
    }
    fitting = _FITTING | {"precision": "float32", "activation_function": _SILUT}
    return {"descriptor": descriptor, "fitting_net": fitting}


def _dpa4() -> Settings:
    """Return a model with DPA-4."""
    descriptor = {
        "rcut": 6.0,
        "channels": 32,
        "n_radial": 16,
        "edge_norm": False,
        "use_env_seed": True,
        "lmax": 2,
        "mmax": 1,
        "n_blocks": 2,
        "mixing_layers": 3,
        "radial_so2_mode": "degree_channel",
        "radial_so2_rank": 1,
        "n_focus": 1,
        "focus_dim": 0,
        "n_atten_head": 1,
        "message_node_so3": True,
        "ffn_neurons": 0,
        "ffn_so3_grid": True,
        "grid_mlp": False,
        "grid_branch": [0, 0, 1],
        "ffn_blocks": 1,
        "so3_readout": "mlp",
        "use_amp": True,
        "precision": "float32",
        "seed": 42,
    }
    fitting = {"neuron": [0], "precision": "float32", "seed": 42}
    return {"type": "dpa4", "descriptor": descriptor, "fitting_net": fitting}


EXAMPLES: dict[str, Settings] = {
    "dpa2": _dpa2(3, attention=False),
    "dpa2-medium": _dpa2(6, attention=True),
    "dpa2-large": _dpa2(12, attention=True),
    "dpa3": _dpa3(120, 30),
    "dpa3-dynamic": _dpa3(1200, 300, use_dynamic_sel=True, sel_reduce_factor=10.0),
    "dpa4": _dpa4(),
}
"""The ``model`` sections of the inputs, without the types, by the name that chooses them."""


def without_zeros(model: T) -> T:
    """Return a model with random numbers for parameters that begin as zeros, as which nothing passes them."""
    rng = np.random.default_rng(1)

    def leaf(_: str, own: Leaf) -> Any:
        value = own.value
        if own.role != "param" or value.any():
            return value
        fan_in = value.shape[-2] if value.ndim > 1 else 1
        return (0.5 * fan_in**-0.5 * rng.normal(size=value.shape)).astype(value.dtype)

    return cast("T", rebuild(model, leaf))
