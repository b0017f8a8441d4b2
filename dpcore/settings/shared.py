"""Sections that several models share: parts of a sum, or branches of a multi-task model."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from dpcore.descriptors import Hybrid
from dpcore.errors import DPError, suggest
from dpcore.models import Model, StandardModel

_SECTIONS = ("type_map", "descriptor", "fitting_net")


@dataclass(frozen=True)
class Link:
    """A place where a shared section is named.

    Attributes:
        name: its name in ``shared_dict``.
        path: the model, the key in it, and for a child of a hybrid descriptor ``list`` and its number.
        level: how much is shared: 0 for all parameters, from 1 on only those that a descriptor names so.
    """

    name: str
    path: tuple[str, ...]
    level: int = 0

    @property
    def text(self) -> str:
        """What is written at the place."""
        return f"{self.name}:{self.level}" if self.level else self.name


def resolved(
    parts: Mapping[str, Any], shared: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], tuple[Link, ...]]:
    """Return model sections with each name of a shared section replaced by its content.

    Args:
        parts: the sections by name.
        shared: the section ``shared_dict``.
        where: the key of the sections, for messages.

    Raises:
        DPError: there is no such shared section, or its level is no number.
    """
    # One by one: what files with references have in two parts is not to be one thing in both.
    out, links = {name: deepcopy(part) for name, part in parts.items()}, list[Link]()
    for path, holder, key in _uses(out):
        name, colon, level = holder[key].partition(":")
        place = ".".join((where, *path))
        if name not in shared:
            raise DPError(
                f"{place}: there is no {name!r} in model.shared_dict{suggest(name, shared)}"
            )
        if colon and not level.isdecimal():
            raise DPError(
                f"{place}: {holder[key]!r} is not understood; it is a name, or name:level"
            )
        links.append(Link(name, path, int(level or 0)))
        holder[key] = deepcopy(shared[name])
    return out, tuple(links)


def collapsed(
    parts: Mapping[str, Any], links: Sequence[Link]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return sections with the names of shared ones put back, and the shared sections.

    Args:
        parts: complete sections by name.
        links: where shared sections were named.
    """
    out, shared = deepcopy(dict(parts)), dict[str, Any]()
    for link in links:
        holder: Any = out
        for key in link.path[:-1]:
            holder = holder[int(key) if isinstance(holder, list) else key]
        last: Any = int(link.path[-1]) if isinstance(holder, list) else link.path[-1]
        shared.setdefault(link.name, holder[last])
        holder[last] = link.text
    return out, shared


def _uses(parts: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Return where shared sections are named: the path, and what holds the name at which key."""
    for part, model in parts.items():
        for key in _SECTIONS if isinstance(model, dict) else ():
            section = model.get(key)
            if isinstance(section, str):
                yield (part, key), model, key
            items = section.get("list") if isinstance(section, dict) else None
            for i, item in enumerate(items if isinstance(items, list) else ()):
                if isinstance(item, str):
                    yield (part, key, "list", str(i)), items, i


def expanded(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the section of a sum with each name of a shared section replaced by its content.

    In the result ``shared_dict`` has, for each name, the paths to where it was.

    Raises:
        DPError: there is no such shared section, or only a part of it is to be shared.
    """
    shared, models = settings.get("shared_dict", {}), settings.get("models")
    if not isinstance(shared, dict) or not isinstance(models, list):
        return settings
    if shared and all(
        isinstance(uses, list) and uses and _are_paths(uses) for uses in shared.values()
    ):
        return settings
    parts = {str(number): model for number, model in enumerate(models)}
    out, links = resolved(parts, shared, "model.models")
    found = dict[str, list[list[str]]]()
    for link in links:
        if link.level:
            raise DPError(
                f"{'.'.join(('model.models', *link.path))}: {link.text} shares a part of a section; whole "
                f"sections can be shared, named {link.name!r}"
            )
        found.setdefault(link.name, []).append(list(link.path))
    more = {"shared_dict": found} if "shared_dict" in settings else {}
    return settings | {"models": list(out.values())} | more


def _are_paths(uses: list[Any]) -> bool:
    return all(isinstance(path, list) and path[1:2] and path[1] in _SECTIONS for path in uses)


def named_again(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the complete section of a sum as it was before :func:`expanded`."""
    uses = settings["shared_dict"]
    links = [Link(name, tuple(path)) for name, paths in uses.items() for path in paths]
    parts = {str(number): model for number, model in enumerate(settings["models"])}
    out, shared = collapsed(parts, links)
    return settings | {"models": list(out.values()), "shared_dict": shared}


def tied(models: tuple[Model, ...], uses: dict[str, list[list[str]]]) -> tuple[Model, ...]:
    """Return models with the components that they share in place of their own.

    Args:
        models: the models.
        uses: for each shared section, the paths to it.

    Raises:
        DPError: a shared component is for other types, or inside a model that shares none.
    """
    out = list(models)
    for name, paths in uses.items():
        components = [path for path in paths if path[1] != "type_map"]
        for path in components[1:]:
            first, number = int(components[0][0]), int(path[0])
            where = ".".join(("model.models", *path))
            _check_pair(out[first], out[number], name, where)
            out[number] = _with(out[number], path, _get(out[first], components[0]))
    return tuple(out)


def _check_pair(first: Model, other: Model, name: str, where: str) -> None:
    if not isinstance(first, StandardModel) or not isinstance(other, StandardModel):
        raise DPError(f"{where}: {name!r} can be shared among standard models alone")
    if first.type_map != other.type_map:
        raise DPError(
            f"{where}: {name!r} is for the types {list(first.type_map)}, those of this model are "
            f"{list(other.type_map)}; both must agree"
        )


def _get(model: Any, path: list[str]) -> Any:
    component = model.descriptor if path[1] == "descriptor" else model.fitting
    return component.children[int(path[3])] if len(path) > 2 else component


def _with(model: Any, path: list[str], component: Any) -> Any:
    if path[1] == "fitting_net":
        return model.with_(fitting=component)
    if len(path) == 2:
        return model.with_(descriptor=component)
    assert isinstance(model.descriptor, Hybrid)
    children = list(model.descriptor.children)
    children[int(path[3])] = component
    return model.with_(descriptor=model.descriptor.with_(children=tuple(children)))
