"""What the parts of a model with Wannier centroids have to be."""

from collections.abc import Sequence

import numpy as np

from dpcore.conditions import Conditions
from dpcore.errors import DPError
from dpcore.fittings.dipole import DIPOLE
from dpcore.models.children import is_of_frames
from dpcore.models.frozen import FrozenModel
from dpcore.models.model import Model
from dpcore.models.standard import StandardModel
from dpcore.output import ENERGY


def selected_types(dipole: FrozenModel) -> tuple[int, ...]:
    """Return the types that have dipoles, as the model in the file numbers them."""
    model = dipole.model
    assert isinstance(model, StandardModel)
    unselected = model.fitting.exclude_types
    return tuple(t for t in range(len(model.type_map)) if t not in unselected)


def check_energy(energy: Model, type_map: tuple[str, ...]) -> None:
    """Raise a one-line error for a model that gives no short-range energy."""
    if is_of_frames(energy) or energy.output != ENERGY:
        raise DPError(
            f"model.modifier: dipole_charge is added to energies, not to a model of type "
            f"{energy.type_name!r} that predicts the {energy.output.total}"
        )
    if energy.conditions.spin:
        raise DPError("model.spin: is not possible together with a modifier; leave one out")
    if energy.type_map != type_map:
        raise DPError(
            f"model.type_map: {list(type_map)}, but {list(energy.type_map)} of the short-range energy"
        )


def check_dipole(dipole: FrozenModel, type_map: tuple[str, ...]) -> None:
    """Raise a one-line error for a model that gives no dipoles of atoms."""
    where = f"model.modifier.model_name: {dipole.model_file}"
    if not (isinstance(dipole.model, StandardModel) and dipole.model.output == DIPOLE):
        raise DPError(
            f"{where} predicts the {dipole.model.output.total}; a model with a dipole fitting is needed"
        )
    if dipole.conditions != Conditions():
        raise DPError(
            f"{where} takes more than the places of atoms, such as parameters; a dipole model without is needed"
        )
    if dipole.type_map != type_map:
        raise DPError(f"{where} has the types {list(dipole.type_map)}; {list(type_map)} are needed")


def check_charges(key: str, charges: Sequence[float], needed: int, what: str) -> None:
    """Raise a one-line error for charges that are not one finite number for each of their owners.

    Args:
        key: the setting that holds them.
        charges: the charges.
        needed: number of their owners.
        what: the owners, for messages.
    """
    if len(charges) != needed:
        raise DPError(
            f"model.modifier.{key}: {len(charges)} charges for the {needed} {what}; give one for each"
        )
    if not np.isfinite(charges).all():
        raise DPError(f"model.modifier.{key}: {list(charges)} must be finite")
