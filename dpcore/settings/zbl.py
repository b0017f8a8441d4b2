"""Models that give way to a table at short distances: ``use_srtab`` of a standard model."""

from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError
from dpcore.models import ENERGY, Model, PairTable, ZBLModel
from dpcore.settings.arguments import arguments, values_of
from dpcore.settings.kinds import Draw

if TYPE_CHECKING:
    from dargs import Argument

_SWITCH = ("sw_rmin", "sw_rmax", "smin_alpha")
_NEUTRAL: dict[str, Any] = {
    "atom_exclude_types": [],
    "pair_exclude_types": [],
    "preset_out_bias": None,
}


def srtab_arguments() -> list["Argument"]:
    """Return the definitions of ``use_srtab`` and of the keys that belong to it."""
    from dargs import Argument

    doc = (
        "table of the energies of pairs of types, to which the model gives way where atoms come close: "
        "rows of the distance and the energies of the pairs 0-0, 0-1, …, 1-1, …, in Å and eV"
    )
    table = Argument("use_srtab", [str, None], optional=True, default=None, doc=doc)
    own = {argument.name: argument for argument in arguments(ZBLModel)}
    switch = [
        Argument(key, [float, int, None], optional=True, default=None, doc=own[key].doc)
        for key in _SWITCH
    ]
    return [table, *switch, own["srtab_add_bias"]]


def check_no_srtab(settings: dict[str, Any]) -> None:
    """Raise a one-line error for keys that belong to ``use_srtab`` where that is not there."""
    for argument in srtab_arguments():
        if settings.get(argument.name, argument.default) != argument.default:
            raise DPError(f"model.{argument.name}: has a meaning together with use_srtab alone")


def draw_zbl(settings: dict[str, Any], seed: int | None, draw: Draw) -> ZBLModel:
    """Draw a model that gives way to a table.

    Args:
        settings: the complete section of a standard model.
        seed: seed of the random numbers.
        draw: draws a standard model.
    """
    for key in ("sw_rmin", "sw_rmax"):
        if settings[key] is None:
            raise DPError(f"model.{key}: missing; use_srtab needs it")
    model = draw(settings | _NEUTRAL, seed)
    if model.output != ENERGY:
        raise DPError(
            f"model.use_srtab: a table of energies; the fitting_net predicts the {model.output.total}"
        )
    given = {key: value for key, value in settings.items() if value is not None}
    return ZBLModel.create(
        model=model,
        table=_table(settings["use_srtab"], model),
        **values_of(ZBLModel, given, "model"),
    )


def _table(path: str, model: Model) -> PairTable:
    """Read a table for the neighbours that a model sees."""
    return PairTable.create(
        tab_file=path,
        rcut=model.rcut,
        sel=max(selection.most for selection in model.selections),
        type_map=model.type_map,
        key="model.use_srtab",
    )
