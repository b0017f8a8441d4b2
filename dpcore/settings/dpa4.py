"""The model of DPA-4 from its section of an input file: a standard model with defaults of its own."""

from typing import TYPE_CHECKING, Any

from dpcore.models import StandardModel
from dpcore.settings.arguments import arguments
from dpcore.settings.bridging import bridging_arguments
from dpcore.settings.components import descriptor_section, fitting_section
from dpcore.settings.kinds import model_kind
from dpcore.settings.spin import spin_section
from dpcore.settings.standard import draw_standard
from dpcore.settings.zbl import srtab_arguments

if TYPE_CHECKING:
    from dargs import Argument


def _arguments() -> list["Argument"]:
    from dargs import Argument

    return [
        *arguments(StandardModel),
        descriptor_section("dpa4"),
        fitting_section("dpa4_ener"),
        spin_section(),
        *bridging_arguments(),
        Argument(
            "use_compile",
            bool,
            optional=True,
            default=False,
            doc="as training.enable_compile",
        ),
        Argument(
            "enable_tf32",
            bool,
            optional=True,
            default=True,
            doc="without effect: float32 products are computed in float32",
        ),
        *srtab_arguments(),
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
    return draw_standard(settings, seed)
