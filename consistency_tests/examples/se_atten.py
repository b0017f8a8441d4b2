"""Examples of ``se_atten`` and ``se_atten_v2``, which between them use every setting."""

from typing import Any

import numpy as np

from examples.example import Example, standard

SMOOTH = {"smooth_type_embedding": True}
STRIP = {"tebd_input_mode": "strip"}


def example(name: str, descriptor: dict[str, Any], **settings: Any) -> Example:
    """Make an example; what is not given is small (see :func:`examples.example.standard`)."""
    small = {"type": "se_atten", "sel": 20, "neuron": (3, 6), "axis_neuron": 2, "tebd_dim": 4}
    given = small | {"attn": 5, "attn_layer": 1} | descriptor
    return standard(f"{given['type']}_{name}", given, **settings)


EXAMPLES = [
    example("concat", {**SMOOTH, "attn_layer": 2, "resnet_dt": True, "attn": 7}, gain=2.0),
    example(
        "concat_rough",
        {
            "tebd_dim": 3,
            "neuron": (7, 14),
            "use_econf_tebd": True,
            "use_tebd_bias": True,
            "exclude_types": ((0, 1),),
            "activation_function": "silu",
            "env_protection": 0.2,
            "attn_dotr": False,
            "normalize": False,
            "scaling_factor": 0.5,
            "concat_output_tebd": False,
        },
        gain=2.0,
        smooth=False,
    ),
    example(
        "concat_alone", {"attn_layer": 0, "type_one_side": True, "stripped_type_embedding": False}
    ),
    example(
        "strip_by_place",
        {
            **STRIP,
            **SMOOTH,
            "attn_layer": 2,
            "set_davg_zero": False,
            "exclude_types": ((1, 1),),
            "sel": (10, 12),
            "ln_eps": 1e-2,
            "trainable_ln": False,
        },
        by_place=True,
    ),
    example(
        "strip_alone", {"attn_layer": 0, "type_one_side": True, "stripped_type_embedding": True}
    ),
    example(
        "truncated",
        {**STRIP, "sel": 5, "attn_mask": True, "temperature": 60.0},
        ntypes=3,
        types=np.array([0, 2, 2, 0, 2, 2, 0, 2]),
        truncated=True,
        smooth=False,
    ),
    example("degrees", {"type": "se_atten_v2", "lmax": 4, "attn": 8, "env_protection": 0.1}),
    example("float32", {**SMOOTH, "precision": "float32", "trainable": False, "lmax": 2}),
    example("float16", {"type": "se_atten_v2", "precision": "float16", "normalize": False}),
]
