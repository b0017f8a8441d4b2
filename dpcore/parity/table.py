"""The comparison as plain text."""

from collections.abc import Sequence
from itertools import zip_longest

from dpcore.parity.result import BackendResult, ParityResult, Status
from dpcore.parity.text import one_line

VERDICTS = {
    Status.REFERENCE: "reference",
    Status.AGREES: "yes",
    Status.DISAGREES: "NO",
    Status.FAILED: "NO",
    Status.MISSING: "",
}

_HEAD = ("backend", "version", "device")
_TIMES = ("1st call", "2nd call")


def table(result: ParityResult) -> str:
    """Return the whole comparison as text: what was compared, one row a backend, and the verdict."""
    parts = [_aligned(_facts(result)), _rows(result), _where(result), closing(result)]
    return "\n\n".join(part for part in parts if part)


def closing(result: ParityResult) -> str:
    """Return the verdict in one sentence."""
    bad = [backend.name for backend in result.backends if not backend.passes]
    compared = len(result.compared)
    if bad:
        return (
            f"NOT in agreement: {', '.join(bad)} ({len(bad)} of {len(result.backends)} backends)."
        )
    if not compared:
        return "Nothing was compared: no backend but the reference is installed or was asked for."
    named = ", ".join(backend.name for backend in result.compared)
    verb = "agrees" if compared == 1 else "agree"
    return (
        f"{named} in {result.dtype} {verb} with {result.reference.name} in float64 "
        "within the tolerance."
    )


def facts(result: ParityResult) -> dict[str, str]:
    """Return what was compared, by headings."""
    model = {"model": "in memory"}
    if result.model is not None:
        model = {"model": one_line(result.model.path), "sha256": result.model.sha256}
        if result.model.branch is not None:
            model["branch"] = one_line(result.model.branch)
    return model | {
        "types": one_line(" ".join(result.type_map), 200),
        "frames": f"{len(result.samples)} frames, {result.natoms} atoms",
        "from": "; ".join(f"{one_line(s.name)} ({s.frames})" for s in result.systems()),
        "dtype": f"{result.dtype}, against {result.reference.name} in float64",
        "largest": ", ".join(
            f"{q.symbol.replace('Δ', '')} {result.magnitude(q):.3g} {q.unit}"
            for q in result.quantities
        ),
        "tolerance": f"{result.tolerance} ({', '.join(_units(result))})",
    }


def scientific(value: float) -> str:
    """Return a difference as the table shows it."""
    return f"{value:.1e}" if value else "0"


def _units(result: ParityResult) -> list[str]:
    """Return the units of what is compared, each once."""
    return list(dict.fromkeys(quantity.unit for quantity in result.quantities))


def _facts(result: ParityResult) -> list[tuple[str, str]]:
    return [(f"{heading}:", text) for heading, text in facts(result).items()]


def _rows(result: ParityResult) -> str:
    """Return the table; the reason of a row without numbers runs on over their columns."""
    quantities = result.quantities
    rows: list[tuple[str, ...]] = [
        (*_HEAD, *(f"max{q.symbol}" for q in quantities), *_TIMES, "agrees"),
        (*("" for _ in _HEAD), *(q.unit for q in quantities), "s", "s", ""),
    ]
    shown = [backend for backend in (result.reference, *result.backends) if not backend.reason]
    rows += [_cells(backend, len(quantities)) for backend in shown]
    reasons = [(b.name, b.reason) for b in result.backends if b.reason]
    first = max(len(name) for name in [*(row[0] for row in rows), *(name for name, _ in reasons)])
    rows[0] = (rows[0][0].ljust(first), *rows[0][1:])
    lines = _aligned(rows, left=len(_HEAD))
    return "\n".join([lines, *(f"{name:<{first}}  {reason}" for name, reason in reasons)])


def _cells(backend: BackendResult, quantities: int) -> tuple[str, ...]:
    largest = [scientific(d.largest) for d in backend.differences] or ["0"] * quantities
    assert backend.seconds is not None
    times = (f"{backend.seconds.first:.2f}", f"{backend.seconds.second:.2f}")
    named = (backend.name, backend.version, backend.device)
    return (*named, *largest, *times, VERDICTS[backend.status])


def _where(result: ParityResult) -> str:
    lines = []
    for backend in result.compared:
        for difference in backend.differences:
            # Of sums over a frame the frame's name tells little.
            if not difference.agrees or (not difference.quantity.of_frame and difference.largest):
                what = f"{backend.name} max{difference.quantity.symbol}"
                lines.append((what, f"at {one_line(result.place(difference))}"))
    return _aligned(lines)


def _aligned(rows: Sequence[Sequence[str]], left: int = 2) -> str:
    """Return rows with their columns aligned, the first ``left`` to the left, the last one too."""
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if place < left or place == len(row) - 1 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
