"""Sections that several models of a sum share."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from dpcore.descriptors import Hybrid
from dpcore.errors import DPError, suggest
from dpcore.models import Model, StandardModel

_SECTIONS = ("type_map", "descriptor", "fitting_net")


@dataclass(frozen=True)
class _Use:
    """Where a shared section is named: in ``holder[key]``, which ``path`` leads to from ``models``."""

    path: list[str]
    holder: Any
    key: Any

    @property
    def where(self) -> str:
        return ".".join(("model.models", *self.path))


def expanded(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the section of a sum with each name of a shared section replaced by its content.

    In the result ``shared_dict`` has, for each name, the paths to where it was.

    Raises:
        DPError: there is no such shared section, or only a part of it is to be shared.
    """
    shared = settings.get("shared_dict", {})
    if not isinstance(shared, dict) or not isinstance(settings.get("models"), list):
        return settings
    out, found = deepcopy(settings), dict[str, list[list[str]]]()
    for use in _uses(out["models"]):
        name, _, level = use.holder[use.key].partition(":")
        if name not in shared:
            raise DPError(
                f"{use.where}: there is no {name!r} in model.shared_dict{suggest(name, shared)}"
            )
        if level not in {"", "0"}:
            raise DPError(
                f"{use.where}: {name}:{level} shares a part of a section; whole sections can be shared, "
                f"named {name!r}"
            )
        use.holder[use.key] = deepcopy(shared[name])
        found.setdefault(name, []).append(use.path)
    return out | ({"shared_dict": found} if "shared_dict" in out else {})


def _uses(models: list[Any]) -> Iterator[_Use]:
    """Return where shared sections are named."""
    for number, model in enumerate(models):
        for key in _SECTIONS if isinstance(model, dict) else ():
            section = model.get(key)
            if isinstance(section, str):
                yield _Use([str(number), key], model, key)
            items = section.get("list") if isinstance(section, dict) else None
            for i, item in enumerate(items if isinstance(items, list) else ()):
                if isinstance(item, str):
                    yield _Use([str(number), key, "list", str(i)], items, i)


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
