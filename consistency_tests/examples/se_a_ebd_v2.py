"""Examples of ``se_a_ebd_v2``."""

from examples.example import standard
from examples.se_a_tpe import embedding


def example(name, descriptor=None, fitting=None, **settings):
    """Make an example; what is not given is small."""
    given = {"type": "se_a_ebd_v2", "sel": (10, 12), "neuron": (4, 8), "axis_neuron": 2}
    given |= descriptor or {}
    # An empty place is embedded otherwise than a neighbour at the cutoff.
    about = {"smooth": given.get("set_davg_zero", False)} | settings
    return standard(f"se_a_ebd_v2-{name}", given, fitting, **about)


EXAMPLES = [
    example("plain"),
    example(
        "one_side",
        {
            "type_one_side": True,
            "resnet_dt": True,
            "type_embedding": embedding(1, neuron=(2, 4), resnet_dt=True, use_tebd_bias=True),
            "exclude_types": ((0, 0),),
            "env_protection": 0.1,
        },
        {"type": "dipole"},
        by_place=True,
    ),
    example(
        "exclude_types",
        {"exclude_types": ((0, 1),), "set_davg_zero": True, "activation_function": "sigmoid"},
        {"atom_ener": (-1.0, None), "numb_fparam": 1},
    ),
    example("float32", {"precision": "float32"}, {"precision": "float32"}),
    example(
        "kinks",
        {"activation_function": "relu", "type_embedding": embedding(2, neuron=(3,))},
        truncated=True,
    ),
]
