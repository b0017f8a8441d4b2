"""What a model section leaves to the data: the names of types, and numbers of neighbours."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Protocol

from dpcore.descriptors import DESCRIPTORS, SeAMask
from dpcore.descriptors.typed import TypedDescriptor
from dpcore.errors import DPError
from dpcore.settings.shared import Link

# Numbers of neighbours of all types together, and the cutoff beside each.
_CUTOFFS = {
    "nsel": "rcut",
    "three_body_sel": "three_body_rcut",
    "e_sel": "e_rcut",
    "a_sel": "a_rcut",
}
_FACTOR = 1.1


class Crowd(Protocol):
    """The most neighbours that an atom of the data has within a cutoff.

    Attributes:
        by_type: of each type.
        total: of all types.
    """

    @property
    def by_type(self) -> Any:
        """Of each type."""
        ...

    @property
    def total(self) -> int:
        """Of all types."""
        ...


@dataclass(frozen=True)
class _Number:
    """A key of a section that says how many neighbours an atom has at most.

    ``types`` are those of the model that the section belongs to, by their numbers in the whole, None for one
    that the whole lacks. ``doubled`` tells that each atom has a virtual one, which counts as well.
    """

    holder: dict[str, Any]
    key: str
    where: str
    rcut: float
    mixed: bool
    types: tuple[int | None, ...] | None
    doubled: bool

    @property
    def given(self) -> Any:
        return self.holder[self.key]

    @property
    def is_open(self) -> bool:
        return isinstance(self.given, str)

    def fill(self, crowd: Crowd) -> None:
        """Put the numbers that the data tell in place of ``auto``."""
        _, _, factor = self.given.partition(":")
        numbers = [4 * math.ceil(int(n * float(factor or _FACTOR)) / 4) for n in self.needed(crowd)]
        self.holder[self.key] = numbers[0] if self.mixed else numbers

    def needed(self, crowd: Crowd) -> list[int]:
        """Return how many neighbours an atom has at most, of all types or of each."""
        if self.mixed:
            return [2 * crowd.total + 1 if self.doubled else crowd.total]
        of_whole = [int(n) for n in crowd.by_type]
        own = range(len(of_whole)) if self.types is None else self.types
        # The virtual atoms of a type, for which there will be as many places, are one more: its own.
        return [(0 if t is None else of_whole[t]) + self.doubled for t in own]

    def lacking(self, crowd: Crowd) -> str | None:
        """Return what is wrong with a number that is too small."""
        given = self.given if isinstance(self.given, list) else [self.given]
        given = [sum(given)] if self.mixed else given
        # 0 leaves a type out on purpose.
        pairs = [(n, most) for n, most in zip(given, self.needed(crowd), strict=False) if n]
        short = [(n, most) for n, most in pairs if n < most]
        if not short:
            return None
        n, most = short[0]
        return (
            f"{self.where}: {n} is too small: atoms have up to {most} neighbours within {self.rcut:g} Å; "
            "those beyond the nearest are left out, and forces jump where they change places"
        )


def cutoffs(section: Mapping[str, Any]) -> list[float]:
    """Return the distances within which neighbours have to be counted for a model section."""
    return sorted({number.rcut for number in _numbers(section, "model")})


def open_numbers(section: Mapping[str, Any]) -> list[str]:
    """Return the keys of a model section whose numbers the data have to tell."""
    return [number.where for number in _numbers(section, "model") if number.is_open]


def with_found(
    section: Mapping[str, Any], type_map: Sequence[str], crowds: Mapping[float, Crowd]
) -> dict[str, Any]:
    """Return a complete model section with what the data tell put in.

    Args:
        section: the section.
        type_map: names of the types, where the section has none.
        crowds: the most neighbours within each of :func:`cutoffs`; those of open numbers are needed.

    Raises:
        DPError: there are no names of types.
    """
    found: dict[str, Any] = _copied(section)
    found.setdefault("type_map", list(type_map))
    if not found["type_map"]:
        raise DPError(
            "model.type_map: missing, and the data do not name their types; give the names"
        )
    for number in _numbers(found, "model"):
        if number.is_open:
            number.fill(crowds[number.rcut])
    return found


def agreed(
    links: Sequence[Link],
    given: Mapping[str, Mapping[str, Any]],
    found: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Return model sections in which numbers that were open in a shared section are the largest of those found.

    Args:
        links: where sections are shared. Those of which the type embedding alone is shared keep their own.
        given: the model sections as they were, by name.
        found: the same with what the data of each tell.
    """
    out = {name: _copied(section) for name, section in found.items()}
    places: dict[tuple[str, str], list[tuple[dict[str, Any], str]]] = {}
    for link in links:
        name, *inside = link.path
        start = ".".join(("model", *inside, ""))
        for where in () if link.level else open_numbers(given[name]):
            if where.startswith(start):
                place = (link.name, where.removeprefix(start))
                places.setdefault(place, []).append(holder_of(out[name], where))
    for users in places.values():
        most = _largest([holder[key] for holder, key in users])
        for holder, key in users:
            holder[key] = most
    return out


def holder_of(section: Any, where: str) -> tuple[dict[str, Any], str]:
    """Return the section that has a key, and the key.

    Args:
        section: the whole model section.
        where: the key as :func:`open_numbers` returns it.
    """
    *above, last = where.split(".")[1:]
    for key in above:
        section = section[int(key)] if isinstance(section, list) else section[key]
    return section, last


def _largest(numbers: Sequence[Any]) -> Any:
    """Return the largest of numbers, or of lists of one for each type."""
    if not isinstance(numbers[0], list):
        return max(numbers)
    # Branches of different types cannot share what depends on them, which is told elsewhere.
    return [max(each) for each in zip_longest(*numbers, fillvalue=0)]


def _copied(value: Any) -> Any:
    """Return a copy in which no section is in two places, as it may be in files with references."""
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def too_small(section: Mapping[str, Any], crowds: Mapping[float, Crowd]) -> list[str]:
    """Return a line for each number of neighbours that is too small for the data."""
    given = (number for number in _numbers(section, "model") if not number.is_open)
    lines = (number.lacking(crowds[number.rcut]) for number in given if number.rcut in crowds)
    return [line for line in lines if line is not None]


@dataclass(frozen=True)
class _Inside:
    """What a section is told by those that it is in: names of the whole's types and of its own."""

    whole: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    doubled: bool = False

    def of(self, section: Mapping[str, Any]) -> "_Inside":
        """Return what a section tells those below it."""
        own = tuple(section.get("type_map") or self.own)
        doubled = self.doubled or section.get("spin") is not None
        return _Inside(self.whole or own, own, doubled)

    @property
    def types(self) -> tuple[int | None, ...] | None:
        """The types of the section by their numbers in the whole."""
        if self.own == self.whole:
            return None
        return tuple(self.whole.index(t) if t in self.whole else None for t in self.own)


def _numbers(section: Any, where: str, above: _Inside = _Inside()) -> Iterator[_Number]:
    """Yield the numbers of neighbours in a section and in all below it."""
    if not isinstance(section, dict):
        return
    here = above.of(section)
    common: dict[str, Any] = {"types": here.types, "doubled": here.doubled}
    for key, cutoff in _CUTOFFS.items():
        if key in section and cutoff in section and _is_used(section, key):
            yield _Number(section, key, f"{where}.{key}", section[cutoff], mixed=True, **common)
    if "sel" in section and "rcut" in section:
        kind = _kind(section)
        if kind is not None:
            mixed = not issubclass(kind, TypedDescriptor)
            yield _Number(section, "sel", f"{where}.sel", section["rcut"], mixed, **common)
    for key, value in section.items():
        items = enumerate(value) if isinstance(value, list) else ()
        yield from _numbers(value, f"{where}.{key}", here)
        for i, item in items:
            yield from _numbers(item, f"{where}.{key}.{i}", here)


def _is_used(section: Mapping[str, Any], key: str) -> bool:
    """Return whether a number matters; those that are open must become numbers in any case."""
    unused = key == "three_body_sel" and not section.get("use_three_body")
    return not unused or isinstance(section[key], str)


def _kind(section: Mapping[str, Any]) -> Any:
    """Return the class of a descriptor with a number of neighbours that matters."""
    known = {n: cls for kind, cls in DESCRIPTORS.items() for n in (kind, *cls.aliases)}
    kind = known.get(section.get("type", ""))
    # A model may be called as its descriptor is.
    if kind is None or "descriptor" in section or issubclass(kind, SeAMask):
        return None
    # The number of dpa4 limits nothing.
    unlimited = kind.type_name == "dpa4" and not isinstance(section["sel"], str)
    return None if unlimited else kind
