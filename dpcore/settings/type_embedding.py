"""Descriptors that are told the types by the ``type_embedding`` section of their model."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dpcore.descriptors import (
    DESCRIPTORS,
    Descriptor,
    Hybrid,
    SeAEbdV2,
    SeAMask,
    SeATpe,
    SeE2A,
    WithTypes,
)
from dpcore.descriptors.mixed import MixedDescriptor
from dpcore.descriptors.type_embedded import TypeEmbedded
from dpcore.errors import DPError
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.settings.arguments import arguments, canonical, seed_argument, values_of
from dpcore.settings.components import draw_descriptor

if TYPE_CHECKING:
    from dargs import Argument

Settings = dict[str, Any]

# What a descriptor becomes where it is told the types.
_TOLD: dict[type[Descriptor], type[TypeEmbedded]] = {
    SeE2A: SeATpe,
    SeATpe: SeATpe,
    SeAEbdV2: SeAEbdV2,
}


def type_embedding_section() -> "Argument":
    """Return the definition of the ``type_embedding`` section."""
    from dargs import Argument

    entries = [entry for entry in arguments(TypeEmbedding) if entry.name != "type_map"]
    doc = (
        "tell the types to the networks, of which one then serves all types: se_e2_a becomes se_a_tpe, and "
        "the fitting is given the features of the atom's type behind those of its surroundings; descriptors "
        "that embed types themselves, such as se_atten, have this embedding in place of their own"
    )
    return Argument("type_embedding", dict, [*entries, seed_argument()], optional=True, doc=doc)


def draw_told(
    settings: Settings, type_map: tuple[str, ...], section: Settings, seed: int | None
) -> Descriptor:
    """Draw a descriptor that is told the types.

    Args:
        settings: the complete section of the descriptor.
        type_map: names of the atom types.
        section: the complete section of the type embedding.
        seed: seed of the random numbers; by default the sections' own.

    Raises:
        DPError: the descriptor has a type embedding of its own.
    """
    rng = np.random.default_rng(section["seed"] if seed is None else seed)
    values = values_of(TypeEmbedding, section, "model.type_embedding")
    embedding = TypeEmbedding.create(rng, type_map=type_map, **values)
    return _told(settings, embedding, seed, "descriptor")


def _told(
    settings: Settings,
    embedding: TypeEmbedding,
    seed: int | None,
    where: str,
    *,
    appended: bool = True,
) -> Descriptor:
    kind, type_map = (
        DESCRIPTORS[canonical(DESCRIPTORS, settings["type"])],
        embedding.type_map,
    )
    if kind is Hybrid:
        children = tuple(
            _told(child, embedding, seed, f"{where}.list.{i}", appended=False)
            for i, child in enumerate(settings["list"])
        )
        return WithTypes(descriptor=Hybrid(children=children), type_embedding=embedding)
    if kind in _TOLD:
        rng = np.random.default_rng(settings["seed"] if seed is None else seed)
        return _TOLD[kind].create(
            rng,
            type_map=type_map,
            type_embedding=embedding,
            appended=appended,
            **values_of(kind, settings, where),
        )
    if issubclass(kind, MixedDescriptor):
        flags = {key: getattr(embedding, key) for key in ("use_econf_tebd", "use_tebd_bias")}
        section = settings | flags | {"tebd_dim": embedding.width}
        mixed = draw_descriptor(section, type_map, seed, where)
        return cast("MixedDescriptor", mixed).with_(type_embedding=embedding)
    descriptor = draw_descriptor(settings, type_map, seed, where)
    if descriptor.mixed_types or isinstance(descriptor, SeAMask):
        raise DPError(
            f"model.type_embedding: a {where} of type {settings['type']!r} cannot be told the types by it; "
            "leave the section out"
        )
    return WithTypes(descriptor=descriptor, type_embedding=embedding) if appended else descriptor
