"""Examples of ``se_e2_a`` with ``ener``, which between them use every setting of both."""

from typing import Any

import numpy as np

from examples.example import TYPES, Example, standard


def example(
    name: str,
    *,
    sel: tuple[int, ...] = (10, 12),
    descriptor: dict[str, Any] | None = None,
    **settings: Any,
) -> Example:
    """Make an example; what is not given is small (see :func:`examples.example.standard`)."""
    small = {"type": "se_e2_a", "neuron": (3, 6), "axis_neuron": 2}
    given = small | {"sel": sel} | (descriptor or {})
    return standard(name, given, ntypes=len(sel), **settings)


def _activations(descriptor: str, fitting: str, gain: float = 1.0) -> Example:
    name = f"{descriptor}-{fitting}".replace(":", "_")
    return example(
        name,
        descriptor={"activation_function": descriptor},
        fitting={"activation_function": fitting},
        gain=gain,
    )


def _precision(descriptor: str, fitting: str) -> Example:
    name = descriptor if descriptor == fitting else f"{descriptor}-{fitting}"
    return example(name, descriptor={"precision": descriptor}, fitting={"precision": fitting})


EXAMPLES = [
    example("plain"),
    example("one_side", descriptor={"type_one_side": True}),
    example("timesteps", descriptor={"resnet_dt": True}, fitting={"resnet_dt": True}),
    example("no_timesteps", fitting={"resnet_dt": False}),
    example("by_place", by_place=True),
    example("set_davg_zero", descriptor={"set_davg_zero": True}),
    example("env_protection", descriptor={"env_protection": 0.2}),
    example("exclude_types", descriptor={"exclude_types": ((0, 1), (1, 1))}, by_place=True),
    example(
        "exclude_types_zero_mean",
        descriptor={"exclude_types": ((0, 1),), "set_davg_zero": True},
        gain=2.0,
    ),
    example(
        "widths",
        descriptor={"neuron": (1, 2, 2, 4, 3), "axis_neuron": 3, "resnet_dt": True},
        fitting={"neuron": (12, 24, 24, 7)},
        gain=2.0,
    ),
    _activations("relu", "relu6", gain=2.0),
    _activations("softplus", "sigmoid"),
    _activations("gelu", "gelu_tf"),
    _activations("silu", "silut", gain=5.0),
    _activations("silut:5.0", "linear", gain=4.0),
    _activations("none", "custom_silu:0.5"),
    _precision("float32", "float32"),
    _precision("float16", "float16"),
    _precision("bfloat16", "bfloat16"),
    _precision("float32", "float64"),
    _precision("float64", "bfloat16"),
    example("fparam", fitting={"numb_fparam": 2, "default_fparam": (0.4, -0.7)}),
    example("aparam", fitting={"numb_aparam": 3}),
    example("aparam_mask", fitting={"numb_aparam": 1, "use_aparam_as_mask": True}),
    example(
        "atom_ener",
        descriptor={"set_davg_zero": True},
        fitting={"atom_ener": (-1.5, None), "numb_fparam": 1, "numb_aparam": 2},
    ),
    example("fitting_exclude_types", fitting={"exclude_types": (1,)}),
    example(
        "model_exclude_types",
        model={"atom_exclude_types": (0,), "pair_exclude_types": ((0, 1),)},
        by_place=True,
    ),
    example("truncated", sel=(3, 2), truncated=True),
    example("sel_0_1", sel=(1, 0), types=1 - TYPES, truncated=True),
    example("one_type", sel=(20,), types=np.zeros(8, np.int64)),
    example("absent_type", sel=(8, 6, 10), types=np.array([0, 2, 2, 0, 2, 2, 0, 2])),
]
