"""Examples of ``se_e3_tebd``, which between them use every setting."""

from typing import Any

import numpy as np

from examples.example import Example, standard


def example(name: str, descriptor: dict[str, Any], **settings: Any) -> Example:
    """Make an example; what is not given is small (see :func:`examples.example.standard`)."""
    given = {"type": "se_e3_tebd", "sel": 20, "neuron": (3, 6), "tebd_dim": 4} | descriptor
    return standard(f"se_e3_tebd_{name}", given, **settings)


STRIP = {"tebd_input_mode": "strip"}

EXAMPLES = [
    example("concat", {"resnet_dt": True}, gain=2.0),
    example(
        "concat_wide",
        {
            "tebd_dim": 3,
            "neuron": (7, 14),
            "use_econf_tebd": True,
            "use_tebd_bias": False,
            "exclude_types": ((0, 1),),
            "activation_function": "silu",
            "env_protection": 0.2,
        },
        gain=2.0,
    ),
    example(
        "strip_by_place",
        {**STRIP, "set_davg_zero": False, "exclude_types": ((1, 1),), "sel": (10, 12)},
        by_place=True,
    ),
    example(
        "strip_rough",
        {**STRIP, "smooth": False, "concat_output_tebd": False, "set_davg_zero": False},
    ),
    example("strip_float32", {**STRIP, "precision": "float32", "trainable": False}),
    example(
        "concat_truncated",
        {"sel": 5},
        ntypes=3,
        types=np.array([0, 2, 2, 0, 2, 2, 0, 2]),
        truncated=True,
    ),
]
