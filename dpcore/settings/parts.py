"""Sections of models inside the section of another."""

from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError
from dpcore.models import Model
from dpcore.settings.arguments import canonical
from dpcore.settings.checks import TypeNames
from dpcore.settings.kinds import MODEL_KINDS, ModelKind
from dpcore.settings.training_keys import refused_keys, whole_keys

if TYPE_CHECKING:
    from dargs import Argument, Variant


def part_kinds(*others: "Argument") -> "Variant":
    """Return the definition of the kinds of model that a part may be of.

    Args:
        others: definitions of kinds that are parts alone.
    """
    from dargs import Argument, Variant

    choices = [
        Argument(name, dict, _entries(kind), alias=list(kind.aliases))
        for name, kind in MODEL_KINDS.items()
        if not kind.nests
    ]
    return Variant("type", [*choices, *others], optional=True, default_tag="standard")


def _entries(kind: ModelKind) -> list["Argument"]:
    own = [*with_own_types(kind.arguments()), *whole_keys()]
    return [*own, *refused_keys({entry.name for entry in own})]


def with_own_types(definitions: list["Argument"]) -> list["Argument"]:
    """Return definitions of settings with a ``type_map`` that may be left out."""
    from dargs import Argument

    return [
        Argument(own.name, list, optional=True, doc=own.doc, extra_check=TypeNames())
        if own.name == "type_map"
        else own
        for own in definitions
    ]


def draw_part(
    settings: dict[str, Any], names: list[str] | None, seed: int | None, where: str
) -> Model:
    """Draw a part of a model, with the types of the whole where it says nothing else.

    Args:
        settings: its complete section.
        names: names of the types of the whole, if they are given.
        seed: seed of the random numbers.
        where: the key of the section, for messages.
    """
    kind = canonical(MODEL_KINDS, settings["type"])
    if "type_map" not in settings and kind != "frozen":
        if names is None:
            raise DPError(f"{where}.type_map: missing; name the types here or in model.type_map")
        settings = settings | {"type_map": names}
    try:
        return MODEL_KINDS[kind].draw(settings, seed)
    except DPError as error:
        raise DPError(f"{where}.{str(error).removeprefix('model.')}") from error
