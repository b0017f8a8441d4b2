"""Examples of ``polar``."""

from examples.dipole import SMALL
from examples.example import standard

EXAMPLES = [
    standard(
        "polar",
        SMALL,
        {"type": "polar", "scale": (1.7, -0.6), "numb_fparam": 2, "default_fparam": (0.4, -0.7)},
    ),
    standard(
        "polar_matrix",
        SMALL,
        {"type": "polar", "fit_diag": False, "scale": 2.5, "dim_case_embd": 3, "sel_type": 0},
        by_place=True,
    ),
    standard(
        "polar_unshifted",
        SMALL,
        {
            "type": "polar",
            "shift_diag": False,
            "numb_aparam": 2,
            "resnet_dt": False,
            "activation_function": "gelu",
            "precision": "float32",
        },
        model={"atom_exclude_types": (1,)},
    ),
]
