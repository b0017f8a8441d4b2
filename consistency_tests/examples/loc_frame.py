"""Examples of ``loc_frame``."""

import numpy as np

from dpcore.descriptors import LocFrame, WithTypes
from examples.example import RCUT, standard
from examples.se_a_tpe import embedding

ABOUT = {"ranked": True, "smooth": False, "handed": True}


def descriptor(sel_a, sel_r, *axis_rule):
    """Make a descriptor."""
    rng = np.random.default_rng(0)
    return LocFrame.create(rng, sel_a=sel_a, sel_r=sel_r, axis_rule=axis_rule, rcut=RCUT)


EXAMPLES = [
    standard("loc_frame-default", descriptor((4, 5), (3, 8)), **ABOUT),
    standard(
        "loc_frame-rule",
        descriptor((1, 2), (4, 5), 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 2),
        {"numb_fparam": 1},
        **ABOUT,
    ),
    standard(
        "loc_frame-nearest",
        descriptor((2, 3), (6, 6), 0, -1, 0, 0, -3, 1, 1, -2, 1, 0, -2, 1),
        **ABOUT,
    ),
    standard(
        "loc_frame-type_embedding",
        WithTypes(
            descriptor=descriptor((0, 6), (5, 0), 0, 1, 2, 0, 1, 0, 0, 1, 0, 1, 0, 0),
            type_embedding=embedding(7, neuron=(3,)),
        ),
        **ABOUT,
    ),
]
