"""The settings that users write, generated from the fields of the modules they configure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError
from dpcore.models import Model
from dpcore.settings import composites, dpa4, pairwise_dprc, standard  # noqa: F401  # register their kinds
from dpcore.settings.arguments import arguments, canonical
from dpcore.settings.kinds import MODEL_KINDS
from dpcore.settings.modifier import modified, modifier_section

if TYPE_CHECKING:
    from dargs import Argument

__all__ = ["MODEL_KINDS", "arguments", "build_model", "draw_model", "model_arguments", "normalized"]


def model_arguments(name: str = "model") -> "Argument":
    """Return the definition of the ``model`` section of an input file."""
    from dargs import Argument, Variant

    choices = [
        Argument(name, dict, [*kind.arguments(), modifier_section()], alias=list(kind.aliases))
        for name, kind in MODEL_KINDS.items()
    ]
    variant = Variant("type", choices, optional=True, default_tag="standard")
    return Argument(name, dict, [], [variant])


def normalized(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``model`` section with all defaults filled in and every key checked.

    Raises:
        DPError: an unknown or missing key, or a value of a wrong kind.
    """
    from dargs.dargs import ArgumentError

    definition, given = model_arguments(), dict(settings)
    name = given.get("type")
    kind = next((k for key, k in MODEL_KINDS.items() if name in {key, *k.aliases}), None)
    given = given if kind is None else kind.expand(given)
    try:
        complete = definition.normalize_value(given, trim_pattern="_*")
        definition.check_value(complete, strict=True)
    except ArgumentError as error:
        raise DPError(f"model: {' '.join(str(error).split())}") from error
    result: dict[str, Any] = complete
    return result


def build_model(settings: Mapping[str, Any], seed: int | None = None) -> Model:
    """Draw a model with random parameters from the ``model`` section of an input file.

    Args:
        settings: the section, with DeePMD-kit's keys: ``type_map``, ``descriptor``, ``fitting_net``, …
        seed: seed of the random numbers; by default the ``seed`` of each component.

    Raises:
        DPError: an unknown or missing key, a value of a wrong kind or without a meaning.
    """
    return draw_model(normalized(settings), seed)


def draw_model(settings: dict[str, Any], seed: int | None = None) -> Model:
    """Draw a model with random parameters from a section that is complete."""
    kind = MODEL_KINDS[canonical(MODEL_KINDS, settings["type"])]
    return modified(kind.draw(settings, seed), settings.get("modifier"))
