"""The kinds of model that an input file may name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dpcore.models import Model

if TYPE_CHECKING:
    from dargs import Argument

Draw = Callable[[dict[str, Any], int | None], Model]
Expand = Callable[[dict[str, Any]], dict[str, Any]]


def unchanged(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a section as it was written."""
    return settings


@dataclass(frozen=True)
class ModelKind:
    """A value of the key ``type`` of a model section.

    Attributes:
        arguments: defines the other keys.
        draw: makes a model from the complete section and a seed.
        aliases: other names.
        expand: replaces short forms in the section as it was written.
        nests: whether the section has sections of other models in it, which then have none themselves.
    """

    arguments: Callable[[], list["Argument"]]
    draw: Draw
    aliases: tuple[str, ...] = ()
    expand: Expand = unchanged
    nests: bool = False


MODEL_KINDS: dict[str, ModelKind] = {}


def model_kind(
    name: str,
    arguments: Callable[[], list["Argument"]],
    aliases: tuple[str, ...] = (),
    expand: Expand = unchanged,
    *,
    nests: bool = False,
) -> Callable[[Draw], Draw]:
    """Register the function that draws a kind of model."""

    def register(draw: Draw) -> Draw:
        MODEL_KINDS[name] = ModelKind(arguments, draw, aliases, expand, nests)
        return draw

    return register
