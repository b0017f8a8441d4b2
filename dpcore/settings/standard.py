"""The standard model from its section of an input file."""

from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError
from dpcore.models import LinearModel, SpinModel, StandardModel, ZBLModel
from dpcore.settings.arguments import arguments, values_of
from dpcore.settings.bridging import (
    bridging_arguments,
    check_no_bridging,
    draw_bridged,
    is_bridged,
)
from dpcore.settings.components import (
    descriptor_section,
    draw_descriptor,
    draw_fitting,
    fitting_section,
)
from dpcore.settings.kinds import model_kind
from dpcore.settings.spin import draw_spin, spin_section
from dpcore.settings.type_embedding import draw_told, type_embedding_section
from dpcore.settings.zbl import check_no_srtab, draw_zbl, srtab_arguments

if TYPE_CHECKING:
    from dargs import Argument


def _arguments() -> list["Argument"]:
    sections = [descriptor_section(), fitting_section(), spin_section(), type_embedding_section()]
    return [
        *arguments(StandardModel),
        *srtab_arguments(),
        *bridging_arguments(),
        *sections,
    ]


@model_kind("standard", _arguments)
def draw_standard(
    settings: dict[str, Any], seed: int | None
) -> StandardModel | SpinModel | ZBLModel | LinearModel:
    """Draw a standard model with random networks, with spins, a table or a repulsion where it has such keys."""
    if is_bridged(settings):
        return draw_bridged(settings, seed, _draw_one)
    check_no_bridging(settings)
    return _draw_one(settings, seed)


def _draw_one(settings: dict[str, Any], seed: int | None) -> StandardModel | SpinModel | ZBLModel:
    has_spin, has_table = (settings.get(key) is not None for key in ("spin", "use_srtab"))
    if has_spin and has_table:
        raise DPError("model.use_srtab: is not possible together with spin")
    if has_table:
        return draw_zbl(settings, seed, _draw)
    check_no_srtab(settings)
    return draw_spin(settings, seed, _draw) if has_spin else _draw(settings, seed)


def _draw(settings: dict[str, Any], seed: int | None) -> StandardModel:
    own = values_of(StandardModel, settings, "model")
    section, types = settings["descriptor"], own["type_map"]
    told = settings.get("type_embedding")
    if told is None:
        descriptor = draw_descriptor(section, types, seed)
    else:
        descriptor = draw_told(section, types, told, seed)
    fitting = draw_fitting(settings["fitting_net"], len(own["type_map"]), descriptor, seed)
    return StandardModel.create(descriptor, fitting, **own)
