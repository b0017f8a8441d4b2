"""The page of the docs that tells what became of the runs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from benchmarks.example_scripts.results import Result, Results, apart
from benchmarks.example_scripts.scripts import changes

_ORDER = ("torch", "jax", "tensorflow", "numpy")

_INTRO = """\
# Example scripts

DeePMD-kit has {number} JSON files in its folder `examples`. This is what became of `dp train` with each of them,
unchanged but for the number of steps, which was {steps}; where a script tells epochs, their number was made as
small. Scripts that were written for one backend of DeePMD-kit run on all. What does not run is refused with a
line that tells why.

{counts}

This page and the numbers in it are written by
`python -m benchmarks.example_scripts path/to/deepmd-kit/examples`.
"""

_MEANING = """\
The last two columns tell how far the backends are apart after the last step, as seen from {first}: the length of the
difference over the length of the whole, for all parameters together, and for what the optimizer remembers, the
running averages of gradients and of their squares. Networks in float64 agree to the rounding of float64, those in
float32 and half precision to that of these. Where a gradient is nearly nothing, Adam divides it by nearly nothing, so
that of such parameters fewer digits agree.
"""

_APART = ("parameters", "optimizer")


def page(results: Results, scripts: Sequence[str], steps: int) -> str:
    """Return the page.

    Args:
        results: what became of the runs.
        scripts: all scripts.
        steps: how many steps were to be taken.
    """
    rows = {script: results.get(script, {}) for script in scripts}
    tried = {name for each in rows.values() for name in each}
    backends = [name for name in _ORDER if name in tried]
    intro = _INTRO.format(
        number=len(scripts),
        steps=steps,
        counts=_counts(rows, backends),
    )
    meaning = _MEANING.format(first=backends[0] if backends else "the first")
    if any(name not in each for each in rows.values() for name in backends):
        meaning += "An empty cell: not run yet.\n"
    parts = [intro, "## What ran\n", _what_ran(rows, backends), meaning]
    parts += _section("Refused, and why", "Why", _reasons(rows, {"refused"}))
    parts += _section("Not finished", "What happened", _reasons(rows, {"failed", "too slow"}))
    changed = [(script, changes(script)) for script in scripts if changes(script)]
    parts += _section("Changed otherwise", "What is changed", changed)
    return "\n".join(parts)


def _counts(rows: Mapping[str, Mapping[str, Result]], backends: Sequence[str]) -> str:
    outcomes = ("ran", "refused", "too slow", "failed")
    lines = []
    for name in backends:
        number = Counter(each[name].outcome if name in each else "" for each in rows.values())
        lines.append((name, *(str(number[outcome]) for outcome in outcomes)))
    return _table(("Backend", *outcomes), lines).rstrip()


def _what_ran(rows: Mapping[str, Mapping[str, Result]], backends: Sequence[str]) -> str:
    lines = []
    for script, each in rows.items():
        cells = [each[name].outcome if name in each else "" for name in backends]
        lines.append((f"`{script}`", *cells, *_distances([each[b] for b in backends if b in each])))
    return _table(("Script", *backends, *_APART), lines)


def _distances(results: Sequence[Result]) -> tuple[str, str]:
    """Return how far the runs of a script are apart."""
    ran = [result for result in results if result.outcome == "ran"]
    parts = [set(result.marks) for result in ran]
    if len(ran) < 2 or not parts[0] or any(each != parts[0] for each in parts):
        return "", ""
    state = max(apart(ran, part) for part in parts[0] - {"vector"})
    return f"{apart(ran, 'vector'):.0e}", f"{state:.0e}"


def _reasons(
    rows: Mapping[str, Mapping[str, Result]], outcomes: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Yield what is said of each script on the backends on which it came to such an end."""
    for script, each in rows.items():
        said: dict[str, list[str]] = {}
        for name, result in each.items():
            if result.outcome in outcomes:
                said.setdefault(result.message, []).append(name)
        for message, names in said.items():
            where = "" if set(names) == set(each) else f"{' and '.join(names)}: "
            text = _plain(message.removeprefix(f"{PurePosixPath(script).name}: "))
            yield script, f"{where}{text}"


def _plain(message: str) -> str:
    """Return a message as text of Markdown."""
    for sign in ("\\", "|", "*", "_", "<", "[", "`", "$"):
        message = message.replace(sign, f"\\{sign}")
    return message


def _section(title: str, told: str, lines: Iterable[tuple[str, str]]) -> list[str]:
    """Return a section with a table of scripts, nothing where there are none."""
    rows = [(f"`{script}`", text) for script, text in lines]
    return [f"\n## {title}\n", _table(("Script", told), rows)] if rows else []


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
