"""Models from DeePMD-kit's settings and the variables of its TensorFlow code."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dpcore.errors import DPError
from dpcore.models import DipoleChargeModel, FrozenModel, Model, StandardModel
from dpcore.settings import draw_model, normalized
from dpcore.settings.arguments import values_of
from dpcore_serialization.tensorflow1 import descriptors, fittings
from dpcore_serialization.tensorflow1.variables import Array, Variables

# What the variables of the dipole model begin with, in a model of long-range electrostatics.
DIPOLE = "dipole_charge."

Settings = Mapping[str, Any]


def read_model(
    settings: Settings, variables: Variables, dipole: Callable[[str], Settings | Model]
) -> Model:
    """Return the model that settings describe, with the values of variables.

    Args:
        settings: the ``model`` section of DeePMD-kit's input file.
        variables: the variables; every one of them must belong to the model.
        dipole: returns the model of a ``modifier``'s file by its name, or the settings of that whose
            values are among the variables.

    Raises:
        DPError: settings or variables that are wrong, do not belong together, or are not supported.
    """
    complete = normalized(settings)
    modifier = complete.pop("modifier", None)
    if modifier is None:
        model = read_standard(complete, variables)
        variables.finish()
        return model
    name, scoped = modifier["model_name"], variables.scoped(DIPOLE)
    energy = read_standard(complete, variables.without(DIPOLE))
    found = dipole(name)
    values = values_of(DipoleChargeModel, modifier, "model.modifier")
    if not isinstance(found, Model):
        section = normalized(found)
        charges = values["model_charge_map"]
        values["model_charge_map"] = _by_type(charges, section["fitting_net"].get("sel_type"))
        found = read_standard(section, scoped)
    frozen = FrozenModel.of(found, name, energy.type_map)
    return DipoleChargeModel.of(energy, frozen, **values)


def _by_type(charges: tuple[float, ...], selected: Any) -> tuple[float, ...]:
    """Return charges that are in the order of ``sel_type`` in that of the types."""
    if not isinstance(selected, list) or len(selected) != len(charges):
        return charges
    return tuple(charge for _, charge in sorted(zip(selected, charges, strict=True)))


def read_standard(complete: dict[str, Any], variables: Variables) -> StandardModel:
    """Return the model of a complete section without a ``modifier``, which needs all the variables."""
    drawn = draw_model(complete, seed=0)
    if not isinstance(drawn, StandardModel):
        raise DPError(
            f"model.type: models of type {drawn.type_name!r} cannot be read from variables"
        )
    mixed = drawn.descriptor.mixed_types
    model = drawn.with_(
        descriptor=descriptors.filled(drawn.descriptor, variables),
        fitting=fittings.filled(drawn.fitting, variables, mixed=mixed),
        out_bias=_output_statistics("t_out_bias", drawn.out_bias, variables),
    )
    if np.any(_output_statistics("t_out_std", drawn.out_std, variables) != 1.0):
        raise variables.error("model_attr.t_out_std: is not 1; such a model is not supported")
    if model.output.rank and np.any(model.out_bias):
        raise variables.error("model_attr.t_out_bias: is not 0; a tensor has no bias")
    variables.finish()
    return model


def _output_statistics(name: str, neutral: Array, variables: Variables) -> Array:
    # Its scope is entered twice.
    for place in (f"model_attr.{name}", f"model_attr.model_attr.{name}"):
        found = variables.optional(place, neutral.shape)
        if found is not None:
            return found.astype(neutral.dtype)
    return neutral
