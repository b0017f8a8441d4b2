"""What is added to the energy of a model, from the ``modifier`` section."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpcore.models import DipoleChargeModel, FrozenModel, Model
from dpcore.registry import format_of
from dpcore.settings.arguments import arguments, values_of

if TYPE_CHECKING:
    from dargs import Argument

# Settings of the whole model that the section is in.
_SHARED = {"type_map", "atom_exclude_types"}


def modifier_section() -> "Argument":
    """Return the definition of the ``modifier`` section."""
    from dargs import Argument, Variant

    name = Argument(
        "model_name",
        str,
        doc="file of the model that predicts dipoles, of any kind that dpcore reads",
    )
    own = [entry for entry in arguments(DipoleChargeModel) if entry.name not in _SHARED]
    doc = "add the electrostatic energy of charges on the nuclei and on Wannier centroids"
    variant = Variant("type", [Argument("dipole_charge", dict, [name, *own], doc=doc)])
    doc = "what is added to the energy that the networks predict"
    return Argument("modifier", dict, [], [variant], optional=True, doc=doc)


def modified(model: Model, section: dict[str, Any] | None) -> Model:
    """Return a model with what its ``modifier`` section adds.

    Args:
        model: the model without it.
        section: the section, complete, or None.

    Raises:
        DPError: the file of dipoles cannot be read, or does not fit the model or the charges.
    """
    if section is None:
        return model
    path = section["model_name"]
    dipole = FrozenModel.of(format_of(path).read(Path(path)).model, path, model.type_map)
    return DipoleChargeModel.of(
        model, dipole, **values_of(DipoleChargeModel, section, "model.modifier")
    )
