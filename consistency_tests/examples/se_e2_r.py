"""Examples of ``se_e2_r``, which between them use every setting."""

from typing import Any

from examples.example import Example, standard


def example(name: str, descriptor: dict[str, Any], **settings: Any) -> Example:
    """Make an example; what is not given is small (see :func:`examples.example.standard`)."""
    given = {"type": "se_e2_r", "sel": (10, 12), "neuron": (3, 6)} | descriptor
    return standard(f"se_e2_r_{name}", given, **settings)


EXAMPLES = [
    example("plain", {"resnet_dt": True}),
    example(
        "one_side",
        {
            "type_one_side": True,
            "set_davg_zero": True,
            "exclude_types": ((0, 1),),
            "env_protection": 0.2,
            "neuron": (1, 2, 5),
            "activation_function": "gelu",
        },
    ),
    example(
        "one_side_by_place",
        {"type_one_side": True, "exclude_types": ((1, 1),), "activation_function": "relu"},
        by_place=True,
    ),
    example("excluded_by_place", {"exclude_types": ((0, 1),)}, by_place=True),
    example("float32", {"precision": "float32", "trainable": False, "type_one_side": True}),
    example("truncated", {"sel": (3, 2), "type_one_side": True}, truncated=True),
]
