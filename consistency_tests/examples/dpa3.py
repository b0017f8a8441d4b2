"""Examples of ``dpa3``, which between them use every setting."""

import zlib
from typing import Any

import numpy as np

from dpcore.descriptors import DPA3
from dpcore.settings.arguments import values_of
from examples.example import RCUT, RCUT_SMTH, TYPE_NAMES, Example, standard

REPFLOW: dict[str, Any] = {
    "n_dim": 6,
    "e_dim": 5,
    "a_dim": 4,
    "nlayers": 2,
    "e_rcut": RCUT,
    "e_rcut_smth": RCUT_SMTH,
    "e_sel": 20,
    "a_rcut": 2.7,
    "a_rcut_smth": 0.9,
    "a_sel": 14,
    "axis_neuron": 2,
    "update_residual": 0.5,
    "update_residual_init": "norm",
}
SMOOTH = {"smooth_edge_update": True}
LISTED = SMOOTH | {"use_dynamic_sel": True, "sel_reduce_factor": 2.0}


def example(
    name: str, repflow: dict[str, Any], settings: dict[str, Any] | None = None, **about: Any
) -> Example:
    """Make an example; what is not given is small."""
    given = {"repflow": REPFLOW | repflow} | (settings or {})
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    type_map = TYPE_NAMES[: about.get("ntypes", 2)]
    descriptor = DPA3.create(rng, type_map=type_map, **values_of(DPA3, given, "descriptor"))
    smooth = bool(given["repflow"].get("smooth_edge_update"))
    return standard(f"dpa3_{name}", descriptor, **({"smooth": smooth} | about))


EXAMPLES = [
    example("rough", {"nlayers": 3}, {"env_protection": 0.1, "concat_output_tebd": True}),
    example("listed", LISTED | {"use_exp_switch": True, "e_rcut_smth": 2.6, "a_rcut_smth": 2.2}),
    example(
        "listed_one_by_one",
        LISTED | {"sequential_update": True, "n_multi_edge_message": 2, "e_dim": 8, "n_dim": 8},
        {
            "exclude_types": ((0, 1),),
            "use_econf_tebd": True,
            "use_tebd_bias": True,
            "use_loc_mapping": False,
            "activation_function": "tanh",
        },
    ),
    example(
        "one_by_one",
        SMOOTH
        | {
            "sequential_update": True,
            "a_compress_rate": 2,
            "a_compress_e_rate": 2,
            "a_compress_use_split": True,
            "edge_init_use_dist": True,
        },
        ntypes=3,
        types=np.array([0, 2, 2, 0, 2, 2, 0, 2]),
    ),
    example(
        "shortened",
        SMOOTH
        | {
            "a_compress_rate": 1,
            "update_style": "res_avg",
            "nlayers": 3,
            "n_multi_edge_message": 3,
            "skip_stat": True,
            "optim_update": False,
        },
    ),
    example(
        "without_angles",
        SMOOTH | {"update_angle": False, "update_style": "res_incr", "fix_stat_std": 0.0},
    ),
    example(
        "charge_spin",
        LISTED | {"nlayers": 1, "e_sel": 6, "a_sel": 3},
        {
            "add_chg_spin_ebd": True,
            "default_chg_spin": (-1.0, 2.0),
            "concat_output_tebd": True,
            "exclude_types": ((1, 1),),
        },
        by_place=True,
        truncated=True,
        smooth=False,
    ),
    example("float32", {}, {"precision": "float32", "trainable": False}),
]
