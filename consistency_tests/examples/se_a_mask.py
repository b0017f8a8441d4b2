"""Examples of ``se_a_mask``."""

import numpy as np

from dpcore.descriptors import SeAMask
from examples.example import standard


def example(name, descriptor=None, fitting=None, **settings):
    """Make an example; what is not given is small."""
    given = {"sel": (4, 7), "neuron": (3, 6), "axis_neuron": 2} | (descriptor or {})
    made = SeAMask.create(np.random.default_rng(len(name)), **given)
    mask = {"numb_aparam": 1, "use_aparam_as_mask": True} | (fitting or {})
    # There is no cutoff at which energies could end smoothly.
    about = {"boundaries": (False,), "smooth": False} | settings
    return standard(f"se_a_mask-{name}", made, mask, **about)


EXAMPLES = [
    example("plain"),
    example(
        "one_side",
        {
            "type_one_side": True,
            "resnet_dt": True,
            "exclude_types": ((0, 1),),
            "activation_function": "gelu",
        },
        {"atom_ener": (1.0, None)},
    ),
    example(
        "float32",
        {"precision": "float32"},
        {"precision": "float32", "use_aparam_as_mask": False, "numb_aparam": 2},
    ),
]
