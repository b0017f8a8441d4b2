"""Pair tables, models from files, and weighted sums of models."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError
from dpcore.models import FrozenModel, LinearModel, Model, PairTable
from dpcore.registry import format_of
from dpcore.settings.arguments import arguments, as_tuples, values_of
from dpcore.settings.bridging import draw_sum, has_repulsion, repulsion_section
from dpcore.settings.kinds import model_kind
from dpcore.settings.parts import draw_part, part_kinds, with_own_types
from dpcore.settings.shared import expanded, tied

if TYPE_CHECKING:
    from dargs import Argument


def _table_arguments() -> list["Argument"]:
    own = {argument.name: argument for argument in arguments(PairTable)}
    own["rcut"].optional = False
    return list(own.values())


@model_kind("pairtab", _table_arguments)
def draw_pair_table(settings: dict[str, Any], seed: int | None) -> PairTable:  # noqa: ARG001
    """Read a pair table."""
    return PairTable.create(**values_of(PairTable, settings, "model"))


def _frozen_arguments() -> list["Argument"]:
    return with_own_types(arguments(FrozenModel))


@model_kind("frozen", _frozen_arguments)
def draw_frozen(settings: dict[str, Any], seed: int | None) -> FrozenModel:  # noqa: ARG001
    """Read a model from a file."""
    file = settings["model_file"]
    try:
        model = format_of(file).read(Path(file)).model
    except DPError as error:
        raise DPError(f"model.model_file: {error}") from error
    return FrozenModel.of(model, file, as_tuples(settings.get("type_map", ())))


def _linear_arguments() -> list["Argument"]:
    from dargs import Argument

    doc = "the models; each may have a type_map of its own, with all types of the whole"
    shared = (
        "sections that models name in place of a type_map, descriptor or fitting_net, to share it"
    )
    return [
        *with_own_types(arguments(LinearModel)),
        Argument("models", list, [], [part_kinds(repulsion_section())], repeat=True, doc=doc),
        Argument("shared_dict", dict, optional=True, default={}, doc=shared),
    ]


@model_kind("linear_ener", _linear_arguments, expand=expanded, nests=True)
def draw_linear(settings: dict[str, Any], seed: int | None) -> LinearModel:
    """Draw a weighted sum of models."""
    names = settings.get("type_map")
    models = _draw_summands(settings, names, seed)
    if not models:
        raise DPError("model.models: no models; one at least is needed")
    models = tied(models, settings["shared_dict"])
    own = values_of(LinearModel, settings | {"type_map": names or _common_types(models)}, "model")
    return LinearModel.create(models=models, **own)


def _draw_summands(
    settings: dict[str, Any], names: list[str] | None, seed: int | None
) -> tuple[Model, ...]:
    if has_repulsion(settings["models"]):
        return draw_sum(settings, names, seed)
    return tuple(
        _draw_summand(part, names, None if seed is None else seed + i, f"model.models.{i}")
        for i, part in enumerate(settings["models"])
    )


def _draw_summand(
    settings: dict[str, Any], names: list[str] | None, seed: int | None, where: str
) -> Model:
    if settings.get("preset_out_bias") is not None:
        raise DPError(
            f"{where}.preset_out_bias: the bias of the whole model is fitted, not those of its parts; set "
            "it in model.preset_out_bias"
        )
    return draw_part(settings, names, seed, where)


def _common_types(models: tuple[Model, ...]) -> list[str]:
    first = models[0].type_map
    for number, model in enumerate(models):
        if model.type_map != first:
            raise DPError(
                f"model.type_map: missing, and models.{number} has {list(model.type_map)} where models.0 "
                f"has {list(first)}; name the types of the whole"
            )
    return list(first)
