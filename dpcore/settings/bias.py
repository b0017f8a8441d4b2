"""The forms of ``preset_out_bias``."""

from collections.abc import Mapping
from typing import Any

from dpcore.errors import DPError

# What fittings predict, by the names that biases have.
_OUTPUTS = {
    "ener": "energy",
    "dpa4_ener": "energy",
    "sezm_ener": "energy",
    "dipole": "dipole",
    "polar": "polar",
    "dos": "dos",
}


def with_bias(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a model section with a list in place of the biases by name of the output.

    Raises:
        DPError: another output than the one that the model has.
    """
    given = settings.get("preset_out_bias")
    if not isinstance(given, Mapping):
        return settings
    output = _output(settings)
    for name in given:
        if name != output:
            raise DPError(
                f"model.preset_out_bias.{name}: the model has no such output; it predicts the {output}"
            )
    return settings | {"preset_out_bias": given.get(output)}


def _output(settings: Mapping[str, Any]) -> str:
    fitting = settings.get("fitting_net")
    if not isinstance(fitting, Mapping):
        return "energy"
    kind = fitting.get("type", "ener")
    return str(fitting.get("property_name")) if kind == "property" else _OUTPUTS.get(kind, "energy")
