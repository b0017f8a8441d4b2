"""Examples of ``ener`` with settings that those of ``se_e2_a`` leave alone."""

from examples.dipole import SMALL
from examples.example import standard

EXAMPLES = [
    standard(
        "ener",
        SMALL | {"set_davg_zero": True},
        {
            "dim_case_embd": 3,
            "numb_fparam": 1,
            "numb_aparam": 1,
            "use_aparam_as_mask": True,
            "atom_ener": (None, -2.0),
            "rcond": 0.01,
            "neuron": (),
        },
        model={"preset_out_bias": (None, 0.3)},
    ),
    standard(
        "ener_mixed",
        {"type": "se_e3_tebd", "sel": 22, "neuron": (2, 4), "tebd_dim": 2},
        {"atom_ener": (None, -2.0), "dim_case_embd": 2},
    ),
]
