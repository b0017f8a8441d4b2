"""Models and batches as trees of declared data, so that every walk over them is written once.

A :class:`Tree` is a frozen dataclass whose fields are *settings* (plain values), *children* (trees, or
tuples of them), *parameters* (:func:`param`) or *buffers* (:func:`buffer`). The role of an array is
declared, never guessed, and :func:`rebuild` is the only recursion: conversion between backends, files,
state dictionaries and freezing are each a few lines on top of it.
"""

import dataclasses as dc
import functools
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from dpcore.errors import DPError, suggest

T = TypeVar("T", bound="Tree")
M = TypeVar("M", bound="Module")

MODULES: dict[str, type["Module"]] = {}


def param() -> Any:
    """Declare a trainable array."""
    return dc.field(metadata={"role": "param"})


def buffer(*, exact: bool = False, **default: Any) -> Any:
    """Declare an array that is stored but not trained.

    Args:
        exact: keep the array's dtype when the tree is cast to another precision.
        default: ``default=None`` for an array that may be absent.
    """
    return dc.field(metadata={"role": "buffer", "exact": exact}, **default)


def setting(default: Any = dc.MISSING, *, doc: str, aliases: tuple[str, ...] = ()) -> Any:
    """Declare a plain value, with the text that documents it wherever users meet it."""
    return dc.field(default=default, metadata={"doc": doc, "aliases": aliases})


@dc.dataclass(frozen=True)
class Leaf:
    """An array of a tree and what it is for.

    Attributes:
        role: ``"param"`` or ``"buffer"``.
        value: the array.
        exact: whether casts leave its dtype alone.
        trainable: whether no module on its path has ``trainable=False``.
    """

    role: str
    value: Any
    exact: bool = False
    trainable: bool = True


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(param, buffer, setting),
)
class Tree:
    """Base of all declared data."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dc.dataclass(frozen=True, eq=False, kw_only=True)(cls)

    def with_(self, **changes: Any) -> Self:
        """Return a copy with some fields replaced."""
        return typing.cast("Self", dc.replace(typing.cast("Any", self), **changes))


class Module(Tree):
    """Base of everything that has parameters; a subclass gives the name it is stored under."""

    type_name: ClassVar[str] = ""

    def __init_subclass__(cls, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name:
            cls.type_name = name
            if MODULES.setdefault(name, cls) is not cls:
                raise TypeError(f"module type {name!r} is already registered by {MODULES[name]}")


class Settings(Module):
    """A group of settings, which has no arrays.

    As a documented field of a module it is a section of the module's own in an input file; otherwise its
    keys are among those of the module.
    """


def rebuild(
    node: Any, leaf: Callable[[str, Leaf], Any], path: str = "", *, trainable: bool = True
) -> Any:
    """Copy a tree, replacing each array by ``leaf(path, Leaf)``: the one recursion."""
    if isinstance(node, Tree):
        trainable = trainable and getattr(node, "trainable", True) is not False
        new = object.__new__(type(node))
        for field in dc.fields(node):  # type: ignore[arg-type, unused-ignore]
            value, role = getattr(node, field.name), field.metadata.get("role")
            here = f"{path}.{field.name}" if path else field.name
            if role is None:
                value = rebuild(value, leaf, here, trainable=trainable)
            elif value is not None:
                exact = field.metadata.get("exact", False)
                value = leaf(here, Leaf(role, value, exact, trainable and role == "param"))
            object.__setattr__(new, field.name, value)
        return new
    if isinstance(node, tuple):
        return tuple(
            rebuild(v, leaf, f"{path}.{i}", trainable=trainable) for i, v in enumerate(node)
        )
    return node


def visit(node: Any, function: Callable[[str, "Module"], "Module | None"], path: str = "") -> Any:
    """Copy a tree with some modules replaced.

    Args:
        node: the tree.
        function: returns what takes the place of the module at a path, or None to look inside it.
        path: where the tree is.
    """
    if isinstance(node, tuple):
        items = tuple(visit(v, function, f"{path}.{i}") for i, v in enumerate(node))
        return node if all(a is b for a, b in zip(items, node, strict=True)) else items
    if not isinstance(node, Tree):
        return node
    found = function(path, node) if isinstance(node, Module) else None
    if found is not None:
        return found
    changes: dict[str, Any] = {}
    for field in dc.fields(node):  # type: ignore[arg-type, unused-ignore]
        value = getattr(node, field.name)
        new = visit(value, function, f"{path}.{field.name}" if path else field.name)
        changes |= {} if new is value else {field.name: new}
    return node.with_(**changes) if changes else node


def inside(node: Any, kind: type[M], path: str = "") -> Iterator[tuple[str, M]]:
    """Yield all modules of a kind with their paths, a tree itself first, outer before inner ones."""
    if isinstance(node, kind):
        yield path, node
    if isinstance(node, Tree):
        for field in dc.fields(node):  # type: ignore[arg-type, unused-ignore]
            where = f"{path}.{field.name}" if path else field.name
            yield from inside(getattr(node, field.name), kind, where)
    elif isinstance(node, tuple):
        for number, item in enumerate(node):
            yield from inside(item, kind, f"{path}.{number}")


def leaves(node: Tree) -> dict[str, Leaf]:
    """Return every array of the tree by its path."""
    found: dict[str, Leaf] = {}
    rebuild(node, found.setdefault)
    return found


def arrays(node: Tree) -> dict[str, Any]:
    """Return the values of the tree's arrays by path."""
    return {path: leaf.value for path, leaf in leaves(node).items()}


def map_arrays(function: Callable[[Any], Any], node: T) -> T:
    """Copy a tree with ``function`` applied to each array."""
    return typing.cast("T", rebuild(node, lambda _, leaf: function(leaf.value)))


def replace(node: T, values: Mapping[str, Any]) -> T:
    """Copy a tree with the arrays given by path."""
    return typing.cast("T", rebuild(node, lambda path, _: values[path]))


def skeleton(node: T) -> T:
    """Copy a tree with each array replaced by its path."""
    return typing.cast("T", rebuild(node, lambda path, _: path))


def structure(node: Any) -> str:
    """Return a text that is the same for trees that differ in the values of their arrays alone."""
    return repr(skeleton(node))


def describe(node: Any) -> Any:
    """Return the tree without its arrays as plain JSON data."""
    if isinstance(node, Module):
        out: dict[str, Any] = {"@type": node.type_name}
        for field in dc.fields(node):  # type: ignore[arg-type, unused-ignore]
            value, role = getattr(node, field.name), field.metadata.get("role")
            out[field.name] = describe(value) if role is None or value is None else {"@array": role}
        return out
    return [describe(v) for v in node] if isinstance(node, tuple) else node


def build(spec: Any, array: Callable[[str], Any], path: str = "") -> Any:
    """Build a tree from :func:`describe`'s data, fetching each array by path.

    Raises:
        DPError: an unknown module type, an unknown or missing setting, or a value of a wrong kind.
    """
    if isinstance(spec, list):
        return tuple(build(v, array, f"{path}.{i}") for i, v in enumerate(spec))
    if not isinstance(spec, dict):
        return spec
    if "@array" in spec:
        return array(path)
    cls = _module_type(spec, path)
    _check_fields(cls, spec, path)
    values = {
        key: build(value, array, f"{path}.{key}" if path else key)
        for key, value in spec.items()
        if key != "@type"
    }
    check_kinds(cls, values, path)
    return cls(**values)


def _check_fields(cls: type[Module], spec: Mapping[str, Any], path: str) -> None:
    """Raise a :class:`DPError` for keys that a module does not have, lacks, or has as something else."""
    where = path or "model"
    fields = {f.name: f for f in dc.fields(cls)}  # type: ignore[arg-type, unused-ignore]
    for key in spec.keys() - fields.keys() - {"@type"}:
        raise DPError(f"{where}: unknown key {key!r}{suggest(key, fields)}")
    for key, field in fields.items():
        if key not in spec and field.default is dc.MISSING:
            raise DPError(f"{where}: the key {key!r} of {cls.type_name!r} is missing")
        value, declared = spec.get(key), "role" in field.metadata
        if value is not None and declared != (isinstance(value, dict) and "@array" in value):
            raise DPError(
                f"{where}: {key!r} is {'not an' if declared else 'no setting but an'} array"
            )


def _module_type(spec: dict[str, Any], path: str) -> type[Module]:
    name = spec.get("@type")
    if not isinstance(name, str) or name not in MODULES:
        raise DPError(
            f"{path or 'model'}: unknown module type {name!r}{suggest(str(name), MODULES)}"
        )
    return MODULES[name]


def check_kinds(cls: type[Tree], values: Mapping[str, Any], path: str) -> None:
    """Raise a :class:`DPError` for a setting or child whose value is not of its annotated kind."""
    hints, roles = _hints(cls), {f.name: f.metadata.get("role") for f in dc.fields(cls)}  # type: ignore[arg-type, unused-ignore]
    for key, value in values.items():
        if roles[key] is None and not _fits(value, hints[key]):
            where = f"{path}.{key}" if path else key
            kind = getattr(hints[key], "__name__", None) or str(hints[key])
            kind = str(hints[key]) if typing.get_args(hints[key]) else kind
            raise DPError(f"{where}: {value!r} is not of the expected kind {kind}")


@functools.cache
def _hints(cls: type[Tree]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _fits(value: Any, kind: Any) -> bool:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return any(_fits(value, k) for k in args)
    if origin is tuple:
        return isinstance(value, tuple) and _fits_items(value, args)
    if origin is typing.Literal:
        return value in args
    if kind in {int, float}:
        allowed = (int, float) if kind is float else int
        return isinstance(value, allowed) and not isinstance(value, bool)
    return kind is Any or isinstance(value, type(None) if kind is None else kind)


def _fits_items(items: tuple[Any, ...], kinds: tuple[Any, ...]) -> bool:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return all(_fits(item, kinds[0]) for item in items)
    return len(kinds) == len(items) and all(map(_fits, items, kinds))
