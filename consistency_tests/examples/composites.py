"""Examples of ``pairtab``, DP+ZBL, ``linear_ener`` and ``frozen``, which between them use every setting."""

import zlib

import numpy as np

from dpcore.descriptors.environment import switch_function
from dpcore.models import FrozenModel, LinearModel, Model, PairTable, StandardModel, ZBLModel
from examples.example import RCUT, TYPES, Example, lowest_precision, shaken, standard


def pair_rows(
    ntypes: int = 2, rcut: float = RCUT, first: float = 0.05, rows: int = 120
) -> np.ndarray:
    """Return a table of energies that fall to zero at a cutoff, other ones for each pair of types."""
    distance = np.linspace(first, rcut, rows)
    fall = switch_function(distance, 0.3 * rcut, rcut) * np.exp(-distance)
    pairs = [(i + 2.0) * (j + 1.0) + i for i in range(ntypes) for j in range(i, ntypes)]
    return np.column_stack([distance, *(p * fall * np.cos(p * distance) for p in pairs)])


def table(**settings: object) -> PairTable:
    """Return a pair table; what is not given is for two types and all neighbours."""
    given = {"rcut": RCUT, "sel": 40, "tab_file": "", "type_map": ("O", "H")} | settings
    rows = pair_rows(len(given["type_map"]), given["rcut"])
    return PairTable.of(rows, **given)


def model(name: str, fitting: dict | None = None, **settings: object) -> StandardModel:
    """Return a small standard model."""
    small = {"type": "se_e2_a", "sel": (10, 12), "neuron": (3, 6), "axis_neuron": 2}
    chosen = small | settings
    types = len(chosen["sel"]) if isinstance(chosen["sel"], tuple) else 2
    return standard(name, chosen, fitting, ntypes=types, gain=2.0).model


def example(name: str, whole: Model, **about: object) -> Example:
    """Return an example of a model with random biases."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    ready = shaken(whole, rng)
    return Example(name, ready, precision=lowest_precision(ready), **{"types": TYPES} | about)


# The blend lies where the nearest neighbours of the frames are.
SWITCH = {"type_map": ("O", "H"), "sw_rmin": 1.1, "sw_rmax": 2.7}
THREE = model("three types", sel=(6, 8, 9), rcut=2.7, axis_neuron=3).with_(
    type_map=("C", "H", "O"), atom_exclude_types=(1,)
)
WITH_PARAMETERS = model(
    "parameters", {"numb_fparam": 1, "default_fparam": (0.3,), "numb_aparam": 2}
)
TYPE_EMBEDDED = standard(
    "type embedding", {"type": "se_e3_tebd", "sel": 22, "neuron": (3, 6), "tebd_dim": 2}
).model

EXAMPLES = [
    example(
        "pairtab",
        table(
            sel=40,
            atom_exclude_types=(1,),
            pair_exclude_types=((0, 0),),
            preset_out_bias=(None, 0.5),
        ),
    ),
    example(
        "pairtab_truncated",
        table(sel=5, type_map=("C", "H", "O"), rcut=2.9),
        types=2 - TYPES,
        ranked=True,
        smooth=False,
    ),
    example(
        "zbl",
        ZBLModel.create(
            model=WITH_PARAMETERS,
            table=table(sel=22),
            **SWITCH | {"atom_exclude_types": (0,), "pair_exclude_types": ((1, 1),)},
        ),
    ),
    example(
        "zbl_bias_of_the_model_alone",
        ZBLModel.create(
            model=model("narrow", rcut=2.8, precision="float32"),
            table=table(rcut=2.8, sel=22),
            **SWITCH | {"smin_alpha": 0.3, "srtab_add_bias": False},
        ),
        smooth=False,
    ),
    example(
        "linear_ener",
        LinearModel.create(
            models=(THREE, table(rcut=2.5), WITH_PARAMETERS),
            type_map=("O", "H"),
            weights=(0.7, -0.4, 1.6),
            pair_exclude_types=((0, 1),),
            atom_exclude_types=(0,),
            preset_out_bias=(1.0, None),
        ),
    ),
    example(
        "linear_ener_of_composites",
        LinearModel.create(
            models=(
                FrozenModel.of(THREE.with_(atom_exclude_types=()), "three.dp", ("H", "O", "C")),
                ZBLModel.create(model=model("in zbl"), table=table(sel=22), **SWITCH),
            ),
            type_map=("H", "O"),
            weights="mean",
        ),
        types=1 - TYPES,
    ),
    example(
        "linear_ener_mixed",
        LinearModel.create(
            models=(TYPE_EMBEDDED, table(rcut=2.6)), type_map=("O", "H"), weights="sum"
        ),
    ),
    example("frozen", FrozenModel.of(THREE, "three.dp", ("H", "C")), types=1 - TYPES),
]
