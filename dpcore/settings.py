"""The settings that users write, generated from the fields of the modules they configure."""

import dataclasses as dc
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dpcore.descriptors import SeE2A
from dpcore.errors import DPError, suggest
from dpcore.fittings import EnergyFitting
from dpcore.models import EnergyModel
from dpcore.tree import Module, check_kinds

if TYPE_CHECKING:
    from dargs import Argument

# The components that `type` may name in each section, each with its other names.
DESCRIPTORS: dict[str, tuple[type[SeE2A], tuple[str, ...]]] = {"se_e2_a": (SeE2A, ("se_a",))}
FITTINGS: dict[str, tuple[type[EnergyFitting], tuple[str, ...]]] = {"ener": (EnergyFitting, ())}


def model_arguments() -> "Argument":
    """Return the definition of the ``model`` section of an input file."""
    from dargs import Argument

    return Argument(
        "model",
        dict,
        [
            *arguments(EnergyModel),
            _section("descriptor", DESCRIPTORS, []),
            _section("fitting_net", FITTINGS, [_trainable()], default="ener"),
        ],
    )


def arguments(cls: type[Module]) -> list["Argument"]:
    """Return the definitions of a module's settings."""
    from dargs import Argument

    hints = typing.get_type_hints(cls)
    return [
        Argument(
            field.name,
            _kinds(hints[field.name]),
            optional=field.default is not dc.MISSING,
            default=_plain(None if field.default is dc.MISSING else field.default),
            alias=list(field.metadata["aliases"]),
            doc=field.metadata["doc"],
        )
        for field in dc.fields(cls)
        if "doc" in field.metadata
    ]


def normalized(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``model`` section with all defaults filled in and every key checked.

    Raises:
        DPError: an unknown or missing key, or a value of a wrong kind.
    """
    from dargs.dargs import ArgumentError

    definition = model_arguments()
    try:
        complete = definition.normalize_value(dict(settings), trim_pattern="_*")
        definition.check_value(complete, strict=True)
    except ArgumentError as error:
        raise DPError(f"model: {' '.join(str(error).split())}") from error
    result: dict[str, Any] = complete
    return result


def build_model(settings: Mapping[str, Any], seed: int | None = None) -> EnergyModel:
    """Draw a model with random parameters from the ``model`` section of an input file.

    Args:
        settings: the section, with DeePMD-kit's keys: ``type_map``, ``descriptor``, ``fitting_net``, …
        seed: seed of the random numbers; by default the ``seed`` of each component.

    Raises:
        DPError: an unknown or missing key, a value of a wrong kind or without a meaning.
    """
    sections = normalized(settings)
    descriptor_keys, fitting_keys = sections.pop("descriptor"), sections.pop("fitting_net")
    own = _values(EnergyModel, sections, "model")
    ntypes = len(own["type_map"])
    descriptor_type = DESCRIPTORS[_canonical(DESCRIPTORS, descriptor_keys.pop("type"))][0]
    fitting_type = FITTINGS[_canonical(FITTINGS, fitting_keys.pop("type"))][0]
    rngs = [np.random.default_rng(_seed(keys, seed)) for keys in (descriptor_keys, fitting_keys)]
    descriptor = descriptor_type.create(
        rngs[0], **_values(descriptor_type, descriptor_keys, "descriptor")
    )
    trainable = _tuples(fitting_keys.pop("trainable"))
    fitting = fitting_type.create(
        rngs[1],
        ntypes=ntypes,
        width=descriptor.width,
        trainable=trainable,
        **_values(fitting_type, fitting_keys, "fitting_net"),
    )
    return EnergyModel(
        descriptor=descriptor,
        fitting=fitting,
        out_bias=np.zeros((1, ntypes, 1)),
        out_std=np.ones((1, ntypes, 1)),
        **own,
    )


def _section(
    name: str, components: Mapping[str, Any], extra: list["Argument"], default: str = ""
) -> "Argument":
    from dargs import Argument, Variant

    seed = Argument("seed", [int, list, None], optional=True, default=None, doc="random seed")
    choices = [
        Argument(kind, dict, [*arguments(cls), *extra, seed], alias=list(aliases))
        for kind, (cls, aliases) in components.items()
    ]
    variant = Variant("type", choices, optional=bool(default), default_tag=default)
    return Argument(name, dict, [], [variant])


def _trainable() -> "Argument":
    from dargs import Argument

    doc = "whether the parameters are trained; a list has one flag for each layer"
    return Argument("trainable", [bool, list], optional=True, default=True, doc=doc)


def _canonical(components: Mapping[str, Any], name: str) -> str:
    for kind, (_, aliases) in components.items():
        if name in {kind, *aliases}:
            return kind
    raise DPError(f"type: {name!r} is unknown{suggest(name, components)}")


def _values(cls: type[Module], settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    names = {f.name for f in dc.fields(cls) if "doc" in f.metadata}
    values = {key: _tuples(value) for key, value in settings.items() if key in names}
    check_kinds(cls, values, where)
    return values


def _seed(settings: dict[str, Any], override: int | None) -> Any:
    own = settings.pop("seed")
    return own if override is None else override


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _kinds(hint: Any) -> list[Any]:
    """Return the kinds of JSON value that an annotation allows."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return [kind for part in typing.get_args(hint) for kind in _kinds(part)]
    if hint is type(None):
        return [None]
    if typing.get_origin(hint) is tuple:
        return [list]
    return [float, int] if hint is float else [hint]
