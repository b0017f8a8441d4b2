"""Learned energies to which the repulsion of nuclei is added where atoms come very close."""

from typing import TYPE_CHECKING, Any

from dpcore.descriptors import DPA4
from dpcore.errors import DPError
from dpcore.models import ENERGY, InnerPotential, LinearModel, Model, StandardModel
from dpcore.models.inner_potential import check_mode
from dpcore.settings.arguments import values_of
from dpcore.settings.kinds import Draw
from dpcore.settings.parts import draw_part

if TYPE_CHECKING:
    from dargs import Argument

Settings = dict[str, Any]
_RADII = ("r_inner", "r_outer")
_DEFAULTS = {"r_inner": 0.5, "r_outer": 0.8}
_DOCS = {
    "r_inner": "distance below which neighbours do not change what the descriptor sees, Å",
    "r_outer": "distance from which on it sees them as they are, Å",
}
_OF_THE_SUM: Settings = {
    "atom_exclude_types": [],
    "pair_exclude_types": [],
    "preset_out_bias": None,
    "bridging_method": None,
}


def _radii(prefix: str) -> list["Argument"]:
    from dargs import Argument

    return [
        Argument(prefix + key, [float, int], optional=True, default=_DEFAULTS[key], doc=_DOCS[key])
        for key in _RADII
    ]


def bridging_arguments() -> list["Argument"]:
    """Return the definitions of ``bridging_method`` and of the keys that belong to it."""
    from dargs import Argument

    doc = "repulsion that is added where atoms come very close: ZBL, or None; the descriptor must be dpa4"
    method = Argument("bridging_method", [str, None], optional=True, default=None, doc=doc)
    return [method, *_radii("bridging_")]


def is_bridged(settings: Settings) -> bool:
    """Return whether a repulsion is to be added; ``None`` and its name mean that none is."""
    return str(settings.get("bridging_method") or "none").lower() != "none"


def check_no_bridging(settings: Settings) -> None:
    """Raise a one-line error for keys that belong to ``bridging_method`` where that is not there."""
    for argument in _radii("bridging_"):
        if settings.get(argument.name, argument.default) != argument.default:
            raise DPError(
                f"model.{argument.name}: has a meaning together with bridging_method alone"
            )


def draw_bridged(settings: Settings, seed: int | None, draw: Draw) -> LinearModel:
    """Draw a learned energy with a repulsion.

    Args:
        settings: the complete section of a standard model.
        seed: seed of the random numbers.
        draw: draws a standard model.
    """
    check_mode(settings["bridging_method"], "model.bridging_method")
    if settings.get("use_srtab") is not None:
        raise DPError("model.bridging_method: is not possible together with use_srtab")
    frozen = _frozen(settings, {key: settings[f"bridging_{key}"] for key in _RADII}, "bridging_")
    models = _with_repulsion(draw(frozen | _OF_THE_SUM, seed), "model")
    own = values_of(LinearModel, settings | {"weights": "sum"}, "model")
    own["pair_exclude_types"] = _excluded_pairs(settings)
    return LinearModel.create(models=models, **own)


def _frozen(settings: Settings, radii: Settings, prefix: str) -> Settings:
    """Return the section of a model whose descriptor does not see neighbours that come very close."""
    descriptor = settings["descriptor"]
    for key in _RADII:
        if descriptor.get(f"inner_clamp_{key}") is not None:
            raise DPError(f"descriptor.inner_clamp_{key}: {prefix}{key} tells it; leave it out")
    told = {f"inner_clamp_{key}": float(radii[key]) for key in _RADII}
    return settings | {"descriptor": descriptor | told}


def _with_repulsion(learned: Model, where: str) -> tuple[Model, Model]:
    """Return a learned model, and the repulsion within its cutoff."""
    if not (isinstance(learned, StandardModel) and isinstance(learned.descriptor, DPA4)):
        raise DPError(f"{where}: a repulsion can be added to models of the descriptor dpa4 alone")
    if learned.output != ENERGY:
        raise DPError(
            f"{where}: a repulsion is an energy; the fitting_net predicts the {learned.output.total}"
        )
    inside = {"rcut": learned.rcut, "sel": learned.descriptor.edges.sel}
    return learned, InnerPotential.create(type_map=learned.type_map, **inside)


def _excluded_pairs(settings: Settings) -> tuple[tuple[int, int], ...]:
    """Return the pairs that do not interact: those that the descriptor leaves out do not repel either."""
    of_model, of_descriptor = (
        tuple(tuple(pair) for pair in pairs)
        for pairs in (settings["pair_exclude_types"], settings["descriptor"]["exclude_types"])
    )
    if of_model and of_descriptor and of_model != of_descriptor:
        raise DPError(
            f"model.pair_exclude_types: {list(of_model)}, but descriptor.exclude_types "
            f"{list(of_descriptor)}; with bridging_method both must agree"
        )
    return of_model or of_descriptor


def repulsion_section() -> "Argument":
    """Return the definition of a repulsion as a part of a sum."""
    from dargs import Argument

    doc = "formula of the repulsion: ZBL, in any case"
    mode = Argument("mode", str, optional=True, default="zbl", doc=doc)
    return Argument("inner_potential", dict, [mode, *_radii("")])


def has_repulsion(parts: list[Settings]) -> bool:
    """Return whether there is a repulsion among the sections of the parts of a sum."""
    return any(part.get("type") == "inner_potential" for part in parts)


def draw_sum(settings: Settings, names: list[str] | None, seed: int | None) -> tuple[Model, ...]:
    """Draw the parts of a sum with a repulsion: a learned model and it, in any order.

    Args:
        settings: the complete section of the sum.
        names: names of the types of the whole, if they are given.
        seed: seed of the random numbers.
    """
    parts, kinds = settings["models"], [part.get("type") for part in settings["models"]]
    if len(parts) != 2 or kinds.count("inner_potential") != 1 or settings["weights"] != "sum":
        raise DPError(
            "model.models: an inner_potential is added to one model of the descriptor dpa4, with weights = "
            "'sum'"
        )
    n = kinds.index("inner_potential")
    learned, inner, where = parts[1 - n], parts[n], f"model.models.{1 - n}"
    check_mode(inner["mode"], f"model.models.{n}.mode")
    if is_bridged(learned):
        raise DPError(f"{where}.bridging_method: there is an inner_potential already; leave it out")
    if "descriptor" in learned:
        learned = _frozen(learned, inner, f"models.{n}.")
    drawn = _with_repulsion(draw_part(learned, names, seed, where), where)
    return drawn[::-1] if n == 0 else drawn
