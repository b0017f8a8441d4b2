"""Descriptors with the values of variables."""

from functools import singledispatch
from typing import Any

import numpy as np

from dpcore.descriptors import (
    Descriptor,
    Hybrid,
    LocFrame,
    SeAEbdV2,
    SeAMask,
    SeATpe,
    SeE3,
    WithTypes,
)
from dpcore.descriptors.attended import AttendedDescriptor
from dpcore.descriptors.local import LocalDescriptor
from dpcore.descriptors.radial import RadialDescriptor
from dpcore.descriptors.type_embedded import TypeEmbedded
from dpcore.descriptors.typed import TypedDescriptor
from dpcore.nn import MLP
from dpcore_serialization.tensorflow1.networks import (
    attention_layer,
    embedding_net,
    silent,
    type_embedding,
)
from dpcore_serialization.tensorflow1.variables import Variables

# What layer normalisation adds to the variance there, unless something is said.
_LN_EPS = 1e-3


@singledispatch
def filled(descriptor: Descriptor, variables: Variables, suffix: str = "") -> Any:  # noqa: ARG001
    """Return a descriptor with the values of variables.

    Args:
        descriptor: the descriptor, with other values.
        variables: the variables.
        suffix: what follows the scopes of the variables: ``_I`` for the child I of a hybrid one.

    Raises:
        DPError: a variable is missing, damaged or of another shape, or such a descriptor cannot be read.
    """
    raise variables.error(
        f"descriptors of type {descriptor.type_name!r} cannot be read from variables"
    )


@filled.register
def _(descriptor: Hybrid, variables: Variables, suffix: str = "") -> Any:
    _check_cutoff(max(s.rcut for s in descriptor.selections), variables, suffix)
    children = [filled(c, variables, f"{suffix}_{i}") for i, c in enumerate(descriptor.children)]
    return descriptor.with_(children=tuple(children))


@filled.register
def _(descriptor: WithTypes, variables: Variables, suffix: str = "") -> Any:
    assert descriptor.type_embedding is not None
    return descriptor.with_(
        descriptor=filled(descriptor.descriptor, variables, suffix),
        type_embedding=type_embedding(descriptor.type_embedding, variables),
    )


@filled.register
def _(descriptor: LocFrame, variables: Variables, suffix: str = "") -> Any:
    _check_cutoff(descriptor.rcut, variables, suffix)
    return descriptor.with_(**_statistics(descriptor, variables, suffix))


@filled.register
def _(descriptor: RadialDescriptor, variables: Variables, suffix: str = "") -> Any:
    _check_cutoff(descriptor.rcut, variables, suffix)
    descriptor = descriptor.with_(**_statistics(descriptor, variables, suffix))
    return descriptor.with_(nets=_pair_nets(descriptor, variables, suffix))


@filled.register
def _(descriptor: SeAMask, variables: Variables, suffix: str = "") -> Any:
    _check_cutoff(-1.0, variables, suffix)
    return descriptor.with_(nets=_pair_nets(descriptor, variables, suffix))


@filled.register
def _(descriptor: SeE3, variables: Variables, suffix: str = "") -> Any:
    _check_cutoff(descriptor.rcut, variables, suffix)
    pairs = zip(_mlps(descriptor), descriptor.neighbour_pairs, strict=True)
    scope = f"filter_type_all{suffix}"
    nets = tuple(embedding_net(net, variables, scope, f"_{a}_{b}") for net, (a, b) in pairs)
    return descriptor.with_(nets=nets, **_statistics(descriptor, variables, suffix))


@filled.register
def _(descriptor: TypeEmbedded, variables: Variables, suffix: str = "") -> Any:
    _check_cutoff(descriptor.rcut, variables, suffix)
    side = "one" if descriptor.type_one_side else "two"
    endings = {SeATpe: [""], SeAEbdV2: ["", f"_{side}_side_ebd"]}[type(descriptor)]
    scope = f"filter_type_all{suffix}"
    return descriptor.with_(
        nets=tuple(
            embedding_net(net, variables, scope, ending)
            for net, ending in zip(_mlps(descriptor), endings, strict=True)
        ),
        type_embedding=type_embedding(descriptor.type_embedding, variables),
        **_statistics(descriptor, variables, suffix),
    )


@filled.register
def _(descriptor: AttendedDescriptor, variables: Variables, suffix: str = "") -> Any:
    _check_cutoff(descriptor.rcut, variables, suffix)
    _check_attended(descriptor, variables)
    scope, types = f"filter_type_all{suffix}", descriptor.type_net
    eps = _LN_EPS if descriptor.ln_eps is None else descriptor.ln_eps
    filled = descriptor.with_(
        ln_eps=eps,
        temperature=1.0,
        nets=tuple(embedding_net(net, variables, scope) for net in _mlps(descriptor)),
        type_net=types and embedding_net(types, variables, scope, "_two_side_ebd"),
        type_embedding=type_embedding(descriptor.own_types, variables),
        attention=tuple(
            attention_layer(layer, variables, f"attention_layer_{number}{suffix}", eps)
            for number, layer in enumerate(descriptor.attention)
        ),
        **_statistics(descriptor, variables, suffix),
    )
    if np.any(filled.davg):
        raise variables.error(
            f"descrpt_attr{suffix}.t_avg: is not zero; there an empty place adds something else than here: "
            "only set_davg_zero can be read"
        )
    return filled


def _check_attended(descriptor: AttendedDescriptor, variables: Variables) -> None:
    """Refuse settings that there mean something else, or have no effect."""
    two_nets = descriptor.type_net is not None
    if descriptor.smooth and (descriptor.attention or two_nets):
        raise variables.error(
            "descriptor.smooth_type_embedding: there it is another function than here, and cannot be read"
        )
    if descriptor.attention and descriptor.attn_dotr:
        raise variables.error(
            "descriptor.attn_dotr: there the cosines of neighbours near the cutoff are not those of their "
            "angle; attention layers with it cannot be read"
        )
    unused = {"scaling_factor": 1.0, "normalize": True, "temperature": None}
    if two_nets:
        unused["type_one_side"] = False
    for key, only in unused.items():
        if getattr(descriptor, key) != only:
            raise variables.error(f"descriptor.{key}: has no effect there; leave it out")


def _mlps(descriptor: LocalDescriptor) -> list[MLP]:
    return [net for net in descriptor.nets if isinstance(net, MLP)]


def _pair_nets(descriptor: RadialDescriptor, variables: Variables, suffix: str) -> tuple[Any, ...]:
    """Return the networks of pairs of types; those that are never asked may have no variables."""
    nets, types = _mlps(descriptor), range(descriptor.ntypes)
    for c, n in [(c, n) for c in (types[:1] if descriptor.type_one_side else types) for n in types]:
        scope = f"filter_type_{'all' if descriptor.type_one_side else c}{suffix}"
        number = descriptor.net_number(c, n)
        asked = descriptor.type_one_side or (c, n) in descriptor.interacting
        if asked or variables.has(f"{scope}.matrix_1_{n}"):
            nets[number] = embedding_net(nets[number], variables, scope, f"_{n}")
        else:
            nets[number] = silent(nets[number])
    return tuple(nets)


def _statistics(
    descriptor: LocalDescriptor | LocFrame, variables: Variables, suffix: str
) -> dict[str, Any]:
    """Return mean and deviation of the environment rows, and how neighbours are chosen."""
    found: dict[str, Any] = {}
    for key, name in (("davg", "t_avg"), ("dstd", "t_std")):
        old = getattr(descriptor, key)
        flat = variables.take(f"descrpt_attr{suffix}.{name}", (len(old), old[0].size))
        found[key] = flat.reshape(old.shape).astype(old.dtype)
    if isinstance(descriptor, TypedDescriptor):
        _check_sel(descriptor.sel, variables, suffix)
        found["davg"] = _without_excluded(descriptor, found["davg"])
        found["by_type"] = True
    return found


def _check_sel(sel: tuple[int, ...], variables: Variables, suffix: str) -> None:
    """Refuse places that were changed after training: sums are still over as many as there were."""
    for name in (f"descrpt_attr{suffix}.sel", f"descrpt_attr{suffix}.original_sel"):
        found = variables.optional(name, (len(sel),))
        if found is not None and tuple(found) != sel:
            raise variables.error(
                f"{name}: is {found.astype(int).tolist()}; the settings say sel = {list(sel)}"
            )


def _without_excluded(descriptor: TypedDescriptor, davg: Any) -> Any:
    """Return means that are zero for excluded pairs, of which empty places add nothing here either."""
    davg = davg.copy()
    for centre, neighbour in descriptor.excluded:
        first = descriptor.first_place(neighbour)
        davg[centre, first : first + descriptor.sel[neighbour]] = 0.0
    return davg


def _check_cutoff(rcut: float, variables: Variables, suffix: str) -> None:
    """Refuse another cutoff than that of the settings."""
    name = f"descrpt_attr{suffix}.rcut"
    found = variables.optional(name, ())
    if found is not None and not np.isclose(found, rcut):
        raise variables.error(f"{name}: is {float(found)}; the settings say rcut = {rcut}")
