"""Descriptors and fittings from their sections of an input file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dpcore.descriptors import DESCRIPTORS, DPA4, Descriptor, Hybrid, SeAMask
from dpcore.fittings import FITTINGS, Fitting, PropertyFitting
from dpcore.fittings.inputs import filled_widths
from dpcore.settings.arguments import arguments, as_tuples, canonical, seed_argument, values_of
from dpcore.settings.checks import Refused
from dpcore.settings.training_keys import check_numbers, with_found_numbers

if TYPE_CHECKING:
    from dargs import Argument, Variant

Settings = dict[str, Any]


def descriptor_section(kind: str = "") -> "Argument":
    """Return the definition of the ``descriptor`` section.

    Args:
        kind: the type where none is given; without it one has to be.
    """
    from dargs import Argument

    doc = "what is told of the surroundings of an atom"
    return Argument("descriptor", dict, [], [_descriptors(DESCRIPTORS, kind)], doc=doc)


def fitting_section(kind: str = "ener") -> "Argument":
    """Return the definition of the ``fitting_net`` section.

    Args:
        kind: the type where none is given.
    """
    from dargs import Argument, Variant

    doc = "whether the parameters are trained; a list has one flag for each layer"
    trainable = Argument("trainable", [bool, list], optional=True, default=True, doc=doc)
    choices = [
        Argument(kind, dict, [*arguments(cls), trainable, seed_argument()], alias=list(cls.aliases))
        for kind, cls in FITTINGS.items()
    ]
    reason = "fits of the populations of orbitals are not supported"
    choices.append(Argument("population", dict, extra_check=Refused(reason), doc="refused"))
    variant = Variant("type", choices, optional=True, default_tag=kind)
    doc = "what is made of that"
    return Argument("fitting_net", dict, [], [variant], doc=doc)


def _descriptors(kinds: Mapping[str, type[Descriptor]], default: str = "") -> "Variant":
    from dargs import Argument, Variant

    choices = []
    for kind, cls in kinds.items():
        entries = [*arguments(cls), seed_argument()]
        if cls is not SeAMask:
            with_found_numbers(entries)
        if cls is Hybrid:
            simple = {k: c for k, c in kinds.items() if c is not Hybrid}
            doc = "the descriptors whose features are put one after another"
            entries = [
                Argument("list", list, [], [_descriptors(simple)], repeat=True, doc=doc),
                seed_argument(),
            ]
        choices.append(Argument(kind, dict, entries, alias=list(cls.aliases)))
    reason = "this descriptor is not supported; dpa4 is the nearest to it"
    refused = Argument("dpa4c", dict, extra_check=Refused(reason), alias=["DPA4C"], doc="refused")
    return Variant("type", [*choices, refused], optional=bool(default), default_tag=default)


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
    check_numbers(settings, where)
    rng = np.random.default_rng(settings["seed"] if seed is None else seed)
    return kind.create(rng, type_map=type_map, **values_of(kind, settings, where))


def draw_fitting(
    settings: Settings, ntypes: int, descriptor: Descriptor, seed: int | None
) -> Fitting:
    """Draw a fitting with random networks, for a descriptor."""
    kind = FITTINGS[canonical(FITTINGS, settings["type"])]
    rng = np.random.default_rng(settings["seed"] if seed is None else seed)
    own = values_of(kind, settings, "fitting_net")
    if isinstance(descriptor, DPA4) and kind is PropertyFitting:
        own["neuron"] = filled_widths(descriptor.width, own)
    return kind.create(
        rng,
        ntypes=ntypes,
        width=descriptor.width,
        frame_width=descriptor.frame_width,
        mixed_types=descriptor.mixed_types,
        trainable=as_tuples(settings["trainable"]),
        **own,
    )
