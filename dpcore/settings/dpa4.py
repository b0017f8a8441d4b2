"""The model of DPA-4 from its section of an input file: a standard model with defaults of its own."""

from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError
from dpcore.models import StandardModel
from dpcore.settings.arguments import arguments
from dpcore.settings.bridging import bridging_arguments
from dpcore.settings.components import descriptor_section, fitting_section
from dpcore.settings.kinds import model_kind
from dpcore.settings.spin import spin_section
from dpcore.settings.standard import draw_standard

if TYPE_CHECKING:
    from dargs import Argument


def _arguments() -> list["Argument"]:
    from dargs import Argument

    no_use = "without effect: how DeePMD-kit trains"
    lora = "low-rank adapters, which are not supported: it must be left out"
    return [
        *arguments(StandardModel),
        descriptor_section(),
        fitting_section(),
        spin_section(),
        *bridging_arguments(),
        Argument("use_compile", bool, optional=True, default=False, doc=no_use),
        Argument("enable_tf32", bool, optional=True, default=True, doc=no_use),
        Argument("lora", [dict, None], optional=True, default=None, doc=lora),
    ]


def _expanded(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the section with the types of the descriptor and the fitting that it implies."""
    told = dict(settings)
    for key, kind in (("descriptor", "dpa4"), ("fitting_net", "dpa4_ener")):
        if isinstance(told.get(key, {}), dict):
            told[key] = {"type": kind, **told.get(key, {})}
    return told


@model_kind("dpa4", _arguments, ("DPA4", "SeZM", "sezm"), _expanded)
def draw_dpa4(settings: dict[str, Any], seed: int | None) -> Any:
    """Draw a model of DPA-4 with random networks."""
    if settings["lora"] is not None:
        raise DPError(
            "model.lora: low-rank adapters are for training, which leaves a checkpoint with them merged into "
            "the weights; leave it out, and evaluate that one"
        )
    return draw_standard(settings, seed)
