"""Examples of ``dos``."""

from examples.dipole import SMALL
from examples.example import standard

EXAMPLES = [
    standard(
        "dos",
        SMALL,
        {
            "type": "dos",
            "numb_dos": 5,
            "numb_fparam": 1,
            "default_fparam": (0.3,),
            "numb_aparam": 2,
            "dim_case_embd": 2,
            "neuron": (6, 6),
        },
        by_place=True,
        model={"preset_out_bias": ((0.1, 0.2, 0.3, 0.4, 0.5), None)},
    ),
    standard(
        "dos_excluded",
        SMALL,
        {
            "type": "dos",
            "numb_dos": 1,
            "exclude_types": (0,),
            "precision": "float32",
            "activation_function": "silu",
            "resnet_dt": False,
        },
    ),
]
