"""The one error class for mistakes a user can make."""

import difflib
from collections.abc import Iterable


class DPError(ValueError):
    """A mistake in what the user gave: its message is one line that says what, where and the remedy."""


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return ``; did you mean 'x'? allowed: …`` for a misspelt name."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} allowed: {', '.join(names)}" if hint else f"; allowed: {', '.join(names)}"
