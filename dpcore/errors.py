"""The one error class for mistakes a user can make."""

import difflib
from collections.abc import Iterable


class DPError(ValueError):
    """A mistake in what the user gave: its message is one line that says what, where and the remedy."""


# What frameworks say where they have an error of their own for it.
_NO_MEMORY = ("out of memory", "resource_exhausted", "oom when")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether there was not enough memory, on the machine or on a device."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY)


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'x'? allowed: …`` for a misspelt name."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} allowed: {', '.join(names)}" if hint else f"; allowed: {', '.join(names)}"
