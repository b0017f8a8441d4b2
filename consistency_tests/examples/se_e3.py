"""Examples of ``se_e3``, which between them use every setting."""

from typing import Any

import numpy as np

from examples.example import Example, standard


def example(name: str, descriptor: dict[str, Any], **settings: Any) -> Example:
    """Make an example; what is not given is small (see :func:`examples.example.standard`)."""
    given = {"type": "se_e3", "sel": (10, 12), "neuron": (3, 6)} | descriptor
    return standard(f"se_e3_{name}", given, **settings)


EXAMPLES = [
    example("plain", {"resnet_dt": True}),
    example("by_place", {"exclude_types": ((0, 1),), "activation_function": "gelu"}, by_place=True),
    example(
        "zero_mean",
        {
            "set_davg_zero": True,
            "exclude_types": ((1, 1),),
            "env_protection": 0.2,
            "neuron": (2, 2, 5),
            "activation_function": "silu",
        },
    ),
    example("float32", {"precision": "float32", "trainable": False}),
    example(
        "absent_type",
        {"sel": (3, 6, 2)},
        ntypes=3,
        types=np.array([0, 2, 2, 0, 2, 2, 0, 2]),
        truncated=True,
    ),
]
