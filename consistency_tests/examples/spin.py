"""Examples of models with spins."""

import zlib

import numpy as np

from dpcore.settings import build_model
from examples.example import RCUT, RCUT_SMTH, Example, lowest_precision, shaken

PLAIN = {
    "type": "se_e2_a",
    "rcut": RCUT,
    "rcut_smth": RCUT_SMTH,
    "sel": [10, 12],
    "neuron": [3, 6],
    "axis_neuron": 2,
}
RADIAL = {
    "type": "se_e2_r",
    "rcut": 2.4,
    "sel": [8, 9],
    "neuron": [4],
    "type_one_side": True,
    "env_protection": 0.3,
}

ATTENDED = {
    "type": "dpa1",
    "rcut": RCUT,
    "rcut_smth": RCUT_SMTH,
    "sel": 40,
    "neuron": [3, 6],
    "axis_neuron": 2,
    "tebd_dim": 3,
    "attn": 4,
    "attn_layer": 1,
    "smooth_type_embedding": True,
    "set_davg_zero": True,
}


def example(name, spin, *, descriptor=PLAIN, fitting=None, **settings):
    """Make an example of a model with spins."""
    seed = zlib.crc32(name.encode())
    section = {
        "type_map": ["O", "H"],
        "descriptor": descriptor,
        "fitting_net": {"neuron": [5, 5]} | (fitting or {}),
        "spin": spin,
    }
    model = shaken(build_model(section | settings, seed), np.random.default_rng(seed))
    return Example(name, model, precision=lowest_precision(model))


EXAMPLES = [
    example(
        "spin",
        {"use_spin": ["H"], "virtual_scale": 0.3},
        fitting={"numb_fparam": 1, "numb_aparam": 2, "precision": "float32"},
    ),
    example(
        "spin_of_all",
        {"use_spin": [0, 1], "virtual_scale": [0.3, 0.2]},
        descriptor=PLAIN | {"type_one_side": True, "env_protection": 0.1},
        pair_exclude_types=[[0, 1]],
        atom_exclude_types=[1],
    ),
    example(
        "spin_hybrid",
        {"use_spin": [True, False], "virtual_len": [0.4], "spin_norm": [1.2]},
        descriptor={"type": "hybrid", "list": [PLAIN, RADIAL]},
    ),
    example("spin_attended", {"use_spin": ["O"], "virtual_scale": 0.3}, descriptor=ATTENDED),
]
