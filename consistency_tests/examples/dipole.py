"""Examples of ``dipole``."""

from examples.example import standard

SMALL = {"type": "se_e2_a", "sel": (10, 12), "neuron": (3, 6), "axis_neuron": 2}

EXAMPLES = [
    standard(
        "dipole",
        SMALL,
        {
            "type": "dipole",
            "numb_fparam": 2,
            "default_fparam": (0.4, -0.7),
            "numb_aparam": 1,
            "dim_case_embd": 2,
            "neuron": (6, 6, 12),
        },
    ),
    standard(
        "dipole_selected",
        SMALL | {"type_one_side": True},
        {"type": "dipole", "sel_type": (1,), "resnet_dt": False, "activation_function": "gelu"},
        by_place=True,
    ),
    standard("dipole_float32", SMALL, {"type": "dipole", "precision": "float32", "sel_type": 0}),
    standard(
        "dipole_mixed",
        {
            "type": "se_atten",
            "sel": 22,
            "neuron": (3, 6),
            "axis_neuron": 2,
            "attn_layer": 0,
            "tebd_dim": 2,
        },
        {"type": "dipole", "sel_type": (0,)},
    ),
]
