"""Examples of ``hybrid``."""

import numpy as np

from dpcore.descriptors import Hybrid, SeE2A
from examples.example import RCUT, standard


def child(seed, **settings):
    rng = np.random.default_rng(seed)
    small = {"sel": (10, 12), "neuron": (3, 6), "axis_neuron": 2, "rcut": RCUT, "rcut_smth": 1.2}
    return SeE2A.create(rng, type_map=("O", "H"), **small | settings)


EXAMPLES = [
    standard(
        "hybrid",
        Hybrid(
            children=(
                child(1),
                child(2, rcut=2.4, sel=(5, 9), type_one_side=True, exclude_types=((1, 1),)),
            )
        ),
        {"numb_fparam": 1},
    ),
]
