"""The settings that users write, generated from the fields of the modules they configure."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dpcore.descriptors import DESCRIPTORS
from dpcore.fittings import FITTINGS
from dpcore.models import Model
from dpcore.settings import composites, dpa4, pairwise_dprc, standard  # noqa: F401  # register their kinds
from dpcore.settings.arguments import arguments, canonical
from dpcore.settings.bias import with_bias
from dpcore.settings.check import complete
from dpcore.settings.kinds import MODEL_KINDS, ModelKind
from dpcore.settings.modifier import modified, modifier_section
from dpcore.settings.parts import with_own_types
from dpcore.settings.training_keys import refused_keys, training_keys

if TYPE_CHECKING:
    from dargs import Argument

__all__ = [
    "MODEL_KINDS",
    "arguments",
    "build_model",
    "draw_model",
    "expanded",
    "model_arguments",
    "normalized",
]


def model_arguments(name: str = "model", *, named: bool = True) -> "Argument":
    """Return the definition of the ``model`` section of an input file.

    Args:
        name: the key of the section.
        named: whether the types must be named in it; otherwise data may do that.
    """
    known = (tuple(MODEL_KINDS), tuple(DESCRIPTORS), tuple(FITTINGS))
    return _model_arguments(name, known, named=named)


@functools.cache
def _model_arguments(
    name: str,
    known: tuple[tuple[str, ...], ...],  # noqa: ARG001  # the definition is made again for more kinds
    *,
    named: bool,
) -> "Argument":
    from dargs import Argument, Variant

    choices = [
        Argument(kind, dict, _entries(found, named=named), alias=list(found.aliases))
        for kind, found in MODEL_KINDS.items()
    ]
    variant = Variant("type", choices, optional=True, default_tag="standard")
    return Argument(name, dict, [], [variant], doc="what is trained")


def _entries(kind: ModelKind, *, named: bool) -> list["Argument"]:
    own = kind.arguments() if named else with_own_types(kind.arguments())
    own += [modifier_section(), *training_keys()]
    return [*own, *refused_keys({entry.name for entry in own})]


def normalized(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``model`` section with all defaults filled in and every key checked.

    Raises:
        DPError: an unknown or missing key, or a value of a wrong kind.
    """
    return complete(model_arguments(), expanded(settings), "model")


def expanded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``model`` section with what its short forms stand for."""
    given = with_bias(dict(settings))
    name = given.get("type")
    kind = next((k for key, k in MODEL_KINDS.items() if name in (key, *k.aliases)), None)
    return given if kind is None else kind.expand(given)


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
