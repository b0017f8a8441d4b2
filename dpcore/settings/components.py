"""Descriptors and fittings from their sections of an input file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dpcore.descriptors import DESCRIPTORS, Descriptor, Hybrid
from dpcore.fittings import FITTINGS, Fitting
from dpcore.settings.arguments import arguments, as_tuples, canonical, seed_argument, values_of

if TYPE_CHECKING:
    from dargs import Argument, Variant

Settings = dict[str, Any]


def descriptor_section() -> "Argument":
    """Return the definition of the ``descriptor`` section."""
    from dargs import Argument

    return Argument("descriptor", dict, [], [_descriptors(DESCRIPTORS)])


def fitting_section() -> "Argument":
    """Return the definition of the ``fitting_net`` section."""
    from dargs import Argument, Variant

    doc = "whether the parameters are trained; a list has one flag for each layer"
    trainable = Argument("trainable", [bool, list], optional=True, default=True, doc=doc)
    choices = [
        Argument(kind, dict, [*arguments(cls), trainable, seed_argument()], alias=list(cls.aliases))
        for kind, cls in FITTINGS.items()
    ]
    variant = Variant("type", choices, optional=True, default_tag="ener")
    return Argument("fitting_net", dict, [], [variant])


def _descriptors(kinds: Mapping[str, type[Descriptor]]) -> "Variant":
    from dargs import Argument, Variant

    choices = []
    for kind, cls in kinds.items():
        entries = [*arguments(cls), seed_argument()]
        if cls is Hybrid:
            simple = {k: c for k, c in kinds.items() if c is not Hybrid}
            doc = "the descriptors whose features are put one after another"
            entries = [
                Argument("list", list, [], [_descriptors(simple)], repeat=True, doc=doc),
                seed_argument(),
            ]
        choices.append(Argument(kind, dict, entries, alias=list(cls.aliases)))
    return Variant("type", choices)


def draw_descriptor(
    settings: Settings, type_map: tuple[str, ...], seed: int | None, where: str = "descriptor"
) -> Descriptor:
    """Draw a descriptor with random networks.

    Args:
        settings: its section, complete.
        type_map: names of the atom types.
        seed: seed of the random numbers; by default the section's own.
        where: name of the section, for messages.
    """
    kind = DESCRIPTORS[canonical(DESCRIPTORS, settings["type"])]
    if issubclass(kind, Hybrid):
        return Hybrid(
            children=tuple(
                draw_descriptor(child, type_map, seed, f"{where}.list.{i}")
                for i, child in enumerate(settings["list"])
            )
        )
    rng = np.random.default_rng(settings["seed"] if seed is None else seed)
    return kind.create(rng, type_map=type_map, **values_of(kind, settings, where))


def draw_fitting(
    settings: Settings, ntypes: int, descriptor: Descriptor, seed: int | None
) -> Fitting:
    """Draw a fitting with random networks, for a descriptor."""
    kind = FITTINGS[canonical(FITTINGS, settings["type"])]
    rng = np.random.default_rng(settings["seed"] if seed is None else seed)
    return kind.create(
        rng,
        ntypes=ntypes,
        width=descriptor.width,
        frame_width=descriptor.frame_width,
        mixed_types=descriptor.mixed_types,
        trainable=as_tuples(settings["trainable"]),
        **values_of(kind, settings, "fitting_net"),
    )
