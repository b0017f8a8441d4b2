"""From the settings of data to the systems that they name."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dpcore.data.find import expanded, find_systems, is_lmdb
from dpcore.data.foreign import ForeignRecords
from dpcore.data.lmdb import open_lmdb
from dpcore.data.load import open_stored
from dpcore.data.records import Records
from dpcore.data.stored import Stored
from dpcore.errors import DPError
from dpcore.train.data.chosen import Bare, Chosen, kept
from dpcore.train.data.dataset import DataSet
from dpcore.train.data.records import RecordSource
from dpcore.train.data.rule import Rule
from dpcore.train.data.sample import OF_FRAMES, Source
from dpcore.train.data.system import SystemSource
from dpcore.train.data.virtual import VirtualSource, has_virtual_atoms, with_virtual_types
from dpcore.train.settings import TrainingData, ValidationData
from dpcore.train.targets import Wanted


def open_data(
    settings: TrainingData | ValidationData,
    type_map: Sequence[str],
    wanted: Iterable[Wanted] | None = None,
    where: str = "training_data",
    virtual_scale: Sequence[float] | None = None,
) -> DataSet:
    """Find and open all systems of a section of the settings.

    Args:
        settings: the section.
        type_map: names of the model's types.
        wanted: the labels that are read; None for all.
        where: name of the section, for messages.
        virtual_scale: for a model of spins, displacement of virtual atoms over the spin by type, Å: systems
            may have these in place of spins.

    Raises:
        DPError: systems that are missing, or are not usable.
    """
    names = None if wanted is None else {want.name for want in wanted}
    rule = Rule.of(settings.batch_size, f"{where}.batch_size")
    least = getattr(settings, "min_pair_dist", 0.0)
    sources, numbers, found = list[Source](), list[int](), 0
    opener = Opener(tuple(type_map), names, virtual_scale)
    for source, bare in _opened(settings, opener):
        taken = kept(source, bare, rule.largest, least)
        if taken.nframes:
            sources.append(taken)
            numbers.append(found)
        found += 1
    if not sources:
        raise DPError(
            f"{where}: no frame of {found} systems is left; check batch_size "
            "(filter:N), min_pair_dist and numb_copy"
        )
    rule.check(found, f"{where}.batch_size")
    return DataSet(settings, where, tuple(sources), tuple(numbers), found)


@dataclass(frozen=True)
class Opener:
    """How data sets are opened.

    Attributes:
        type_map: names of the model's types.
        names: the labels that are read; None for all.
        virtual_scale: displacement of virtual atoms over the spin by type, Å, where there may be such atoms.
    """

    type_map: tuple[str, ...]
    names: Collection[str] | None
    virtual_scale: Sequence[float] | None = None

    def system(self, stored: Stored) -> Source:
        """Return a system."""
        names = None if self.names is None else {*self.names, *OF_FRAMES, "numb_copy"}
        scale = self.virtual_scale
        if scale is None or not has_virtual_atoms(stored, self.type_map):
            return SystemSource(stored, self.type_map, names)
        names = names if names is None or "force_mag" not in names else {*names, "force"}
        whole = SystemSource(stored, with_virtual_types(self.type_map), names)
        return VirtualSource(whole, scale)

    def records(self, records: Records) -> Source:
        """Return a data set of records."""
        names = None if self.names is None else {*self.names, *OF_FRAMES}
        return RecordSource(records, self.type_map, names)


def _opened(
    settings: TrainingData | ValidationData, opener: Opener
) -> Iterator[tuple[Source, Bare]]:
    """Yield the systems, each with what opens it without labels."""
    given = settings.systems if isinstance(settings.systems, str) else list(settings.systems)
    look = replace(opener, names=())
    if settings.fmt is not None:
        for path in expanded(given):
            records = ForeignRecords(path, settings.fmt)
            yield opener.records(records), partial(look.records, records)
        return
    patterns = None if settings.rglob_patterns is None else list(settings.rglob_patterns)
    by_blocks = settings.auto_prob.startswith("prob_sys_size;")
    for path in find_systems(given, patterns):
        if not is_lmdb(path):
            stored = open_stored(path)
            yield opener.system(stored), partial(look.system, stored)
            continue
        base = open_lmdb(path)
        source, bare = opener.records(base), partial(look.records, base)
        if by_blocks and base.groups is not None:
            yield from _by_group(source, bare, base.groups)
        else:
            yield source, bare


def _by_group(
    source: Source, bare: Bare, groups: NDArray[np.int32]
) -> Iterator[tuple[Source, Bare]]:
    """Yield the systems that the frames of a data set are from."""
    order = np.argsort(groups, kind="stable")
    for part in np.split(order, np.cumsum(np.bincount(groups))[:-1]):
        yield Chosen(source, part), partial(_chosen, bare, part)


def _chosen(bare: Bare, part: NDArray[np.integer]) -> Source:
    return Chosen(bare(), part)
