"""Examples of ``dipole_charge``: energies with the electrostatics of Wannier centroids."""

from typing import Any

from dpcore.models import DipoleChargeModel, FrozenModel
from examples.example import Example, lowest_precision, standard

SMALL = {"type": "se_e2_a", "sel": (10, 12), "neuron": (3, 6), "axis_neuron": 2}


def dplr(
    name: str,
    energy: dict[str, Any],
    dipole: dict[str, Any],
    *,
    names: tuple[str, ...] = ("O", "H"),
    **settings: Any,
) -> Example:
    """Make an example.

    Args:
        name: its name.
        energy: settings of the fitting of the short-range energy.
        dipole: settings of the fitting of the dipole.
        names: types of the dipole model.
        settings: settings of the electrostatics.
    """
    short = standard(f"{name}_energy", SMALL, energy).model
    narrow = SMALL | {"rcut": 2.9, "rcut_smth": 0.4, "type_one_side": True}
    moments = standard(f"{name}_dipole", narrow, {"type": "dipole"} | dipole).model
    frozen = FrozenModel.of(moments.with_(type_map=names), "dipole.dp", short.type_map)
    model = DipoleChargeModel.of(short, frozen, **settings)
    return Example(name, model, boundaries=(True,), precision=lowest_precision(model))


EXAMPLES = [
    dplr(
        "dplr",
        {"numb_fparam": 1, "default_fparam": (0.3,), "numb_aparam": 2},
        {"sel_type": 1},
        names=("H", "O"),
        model_charge_map=(-8.0,),
        sys_charge_map=(6.0, 1.2),
    ),
    dplr(
        "dplr_mesh",
        {},
        {"precision": "float32"},
        model_charge_map=(-2, -1.0),
        sys_charge_map=(2, 1.0),
        ewald_h=0.8,
        ewald_beta=1.1,
        ewald_method="mesh",
    ),
]
