"""Examples of ``dpa2``, which between them use every setting."""

import zlib
from typing import Any

import numpy as np

from dpcore.descriptors import DPA2
from dpcore.descriptors.dpa2.repinit import RepinitSettings
from dpcore.descriptors.dpa2.settings import (
    AtomSettings,
    PairSettings,
    RepformerSettings,
    StyleSettings,
)
from examples.example import RCUT, RCUT_SMTH, TYPE_NAMES, Example, standard

FIRST = {"rcut": RCUT, "rcut_smth": RCUT_SMTH, "nsel": 24, "neuron": (3, 6), "axis_neuron": 2}
FIRST |= {"tebd_dim": 4}
LAYERS = {"rcut": 2.9, "rcut_smth": 1.1, "nsel": 18, "nlayers": 2, "g1_dim": 5, "g2_dim": 4}
LAYERS |= {"axis_neuron": 2}
ATOM = {"attn1_hidden": 3, "attn1_nhead": 2}
PAIR = {"attn2_hidden": 3, "attn2_nhead": 2}


def example(
    name: str,
    repinit: dict[str, Any] | None = None,
    repformer: dict[str, Any] | None = None,
    *,
    atom: dict[str, Any] | None = None,
    pair: dict[str, Any] | None = None,
    style: dict[str, Any] | None = None,
    descriptor: dict[str, Any] | None = None,
    ntypes: int = 2,
    **settings: Any,
) -> Example:
    """Make an example; what is not given is small (see :func:`examples.example.standard`)."""
    name = f"dpa2_{name}"
    layers = RepformerSettings(
        atom=AtomSettings(**ATOM | (atom or {})),
        pair=PairSettings(**PAIR | (pair or {})),
        # Weights that are not small.
        style=StyleSettings(**{"update_residual": 0.5} | (style or {})),
        **LAYERS | (repformer or {}),
    )
    drawn = DPA2.create(
        np.random.default_rng(zlib.crc32(name.encode())),
        type_map=TYPE_NAMES[:ntypes],
        repinit=RepinitSettings(**FIRST | (repinit or {})),
        repformer=layers,
        **descriptor or {},
    )
    return standard(name, drawn, ntypes=ntypes, **settings)


THREE_BODY = {"use_three_body": True, "three_body_neuron": (2, 4), "three_body_sel": 10}
THREE_BODY |= {"three_body_rcut": 2.6, "three_body_rcut_smth": 1.0}
STRIP = {"tebd_input_mode": "strip"}
RESIDUAL = {"update_style": "res_residual"}

EXAMPLES = [
    example("plain", {"resnet_dt": True}, pair={"update_h2": True}),
    example(
        "strip_three_body",
        {**STRIP, **THREE_BODY, "set_davg_zero": False},
        {"set_davg_zero": False, "nlayers": 3, "use_sqrt_nnei": False},
        atom={"g1_out_conv": False, "g1_out_mlp": False},
        pair={"update_h2": True, "attn2_has_gate": True},
        style=RESIDUAL,
        descriptor={"add_tebd_to_repinit_out": True, "exclude_types": ((0, 1),)},
        by_place=True,
    ),
    example(
        "rough",
        {"tebd_dim": 3, "activation_function": "silu"},
        {"direct_dist": True, "activation_function": "silu", "ln_eps": 1e-2, "trainable_ln": False},
        atom={"update_g1_has_conv": False},
        pair={"update_h2": True, "update_g2_has_g1g1": False},
        style={"update_style": "res_incr"},
        descriptor={
            "smooth": False,
            "use_econf_tebd": True,
            "use_tebd_bias": True,
            "concat_output_tebd": False,
            "env_protection": 0.2,
            "exclude_types": ((1, 1),),
        },
        smooth=False,
    ),
    example(
        "without_attention",
        {"type_one_side": True},
        # As wide as the surroundings: no bridge.
        {"g1_dim": 12, "nlayers": 2},
        atom={"update_g1_has_attn": False, "update_g1_has_drrd": False},
        pair={"update_g2_has_attn": False},
        style=RESIDUAL | {"update_residual_init": "const"},
        gain=2.0,
    ),
    example(
        "convolution_alone",
        {**STRIP, **THREE_BODY},
        {"use_sqrt_nnei": False},
        atom={"update_g1_has_grrg": False, "update_g1_has_drrd": False, "g1_out_mlp": False},
        descriptor={"smooth": False},
        smooth=False,
    ),
    example(
        "truncated",
        {"nsel": 9, **STRIP},
        {"nsel": 6},
        pair={"update_h2": True, "update_g2_has_attn": False, "attn2_has_gate": True},
        ntypes=3,
        types=np.array([0, 2, 2, 0, 2, 2, 0, 2]),
        truncated=True,
    ),
    example("float32", descriptor={"precision": "float32", "trainable": False}),
]
