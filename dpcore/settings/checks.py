"""Checks of values that definitions of settings carry."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dpcore.errors import suggest

if TYPE_CHECKING:
    from dargs import Argument

_AUTO = re.compile(r"auto(:[0-9]+(\.[0-9]*)?)?")


class Check(Protocol):
    """Tells good values of a setting from others."""

    def __call__(self, value: Any) -> bool:
        """Return whether a value is good."""
        ...

    def complaint(self, value: Any) -> str:
        """Return what is wrong with a value that is not, to stand behind its key."""
        ...


@dataclass(frozen=True)
class OneOf:
    """The value is one of a few."""

    values: tuple[Any, ...]

    def __call__(self, value: Any) -> bool:
        """Return whether it is."""
        return value in self.values

    def complaint(self, value: Any) -> str:
        """Return that it is unknown, and what is not."""
        return f"{value!r} is unknown{suggest(str(value), (str(v) for v in self.values if v))}"


@dataclass(frozen=True)
class Refused:
    """The value asks for nothing that is not supported.

    Attributes:
        reason: why it is not, and what to do.
        besides: values that pass.
    """

    reason: str
    besides: tuple[Any, ...] = (None,)

    def __call__(self, value: Any) -> bool:
        """Return whether the value passes."""
        return value in self.besides

    def complaint(self, value: Any) -> str:
        """Return the reason."""
        return self.reason if isinstance(value, dict | list) else f"{value!r}: {self.reason}"


class NumberOrAuto:
    """The value is a number of neighbours, or asks for it to be found."""

    def __call__(self, value: Any) -> bool:
        """Return whether it is."""
        if isinstance(value, str):
            return _AUTO.fullmatch(value) is not None
        numbers = value if isinstance(value, list) else [value]
        return all(isinstance(n, int) and n >= 0 for n in numbers)

    def complaint(self, value: Any) -> str:
        """Return what it may be."""
        return f"{value!r} is not understood; allowed: numbers from 0 up, 'auto', 'auto:1.1'"


class Seed:
    """The value is a seed: a whole number from 0 up, or a list of them, or nothing."""

    def __call__(self, value: Any) -> bool:
        """Return whether it is."""
        numbers = value if isinstance(value, list) and value else [value]
        return value is None or all(isinstance(n, int) and n >= 0 for n in numbers)

    def complaint(self, value: Any) -> str:
        """Return what it may be."""
        return f"{value!r}; a seed is a whole number from 0 up, or a list of them"


class Widths:
    """The value lists widths of layers."""

    def __call__(self, value: Any) -> bool:
        """Return whether it does."""
        return all(isinstance(n, int) and n >= 0 for n in value or ())

    def complaint(self, value: Any) -> str:
        """Return what it may be."""
        return f"{value!r}; widths are whole numbers, none below 0"


class TypeNames:
    """The value lists names of types, each once."""

    def __call__(self, value: Any) -> bool:
        """Return whether it does."""
        named = all(isinstance(name, str) and name for name in value)
        return named and len(set(value)) == len(value)

    def complaint(self, value: Any) -> str:
        """Return what it may be."""
        return f"{value!r}; a type map lists names of types, each once, such as ['O', 'H']"


def refusal(entry: "Argument") -> Refused | None:
    """Return why a key is refused that is known only to be so."""
    from dargs.dargs import _Flags

    test: Any = entry.extra_check
    return test if isinstance(test, Refused) and entry.default is _Flags.NONE else None
