"""The comparison as a page of the documentation."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.vs_deepmd.aims import AIMS, reached, references
from benchmarks.vs_deepmd.plot import plot
from benchmarks.vs_deepmd.results import (
    COMPRESSED,
    EXACT,
    OURS,
    THEIRS,
    Comparison,
    Entry,
    Size,
    Timing,
)

TEXTS = Path(__file__).with_name("page.md")
DETAILED = (192, 1536)
"""Sizes that have a table of their own."""
NAMES = {OURS: "dpcore", THEIRS: "DeePMD-kit"}
NONE = "–"
TRAINING = {"water": "### Water", "molecules": "### Small molecules of mixed sizes"}
"""Where the figures of each case of training are."""
UNMEASURED = "\n\n".join(f"{heading}\n\nNot measured." for heading in TRAINING.values())
_TRAINING = re.compile(rf"(?ms)^{TRAINING['water']}\n.*?(?=^## )")
# What means something in Markdown, and may stand in the message of an error.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>$|#]")


def write_page(comparison: Comparison, docs: Path) -> None:
    """Write the page and its plot into the folder of the documentation."""
    (docs / "_static").mkdir(parents=True, exist_ok=True)
    (docs / "_static" / "performance.svg").write_text(plot(comparison), encoding="utf-8")
    path = docs / "performance.md"
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    path.write_text(page(comparison, training_of(before)), encoding="utf-8")


def training_of(text: str) -> str:
    """Return the figures of training in a page, which another program measures."""
    found = _TRAINING.search(text)
    return UNMEASURED if found is None else found[0].strip()


def page(comparison: Comparison, training: str = UNMEASURED) -> str:
    """Return the page of a comparison as Markdown, with the figures of training."""
    text = TEXTS.read_text(encoding="utf-8").replace("<!-- training -->", training)
    for name, part in PARTS.items():
        text = text.replace(f"<!-- {name} -->", part(comparison))
    return text


def summary(comparison: Comparison) -> str:
    """Return the tables alone, for a terminal."""
    names = ("aims", "speed", "sizes", "start", "commands", "agreement", "remarks")
    return "\n\n".join(PARTS[name](comparison) for name in names)


def label(entry: Entry) -> str:
    """Return how a table calls a contestant."""
    family = f"`.{entry.family}`" if entry.program == THEIRS else f"`{entry.family}`"
    notes = [
        f"{NAMES[entry.program]} {family}",
        "" if entry.kernels else "no kernels",
        entry.mode if entry.mode in {EXACT, COMPRESSED} else "",
        entry.dtype if entry.dtype == "float32" else "",
    ]
    return ", ".join(note for note in notes if note)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns after the first are figures."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _where(comparison: Comparison) -> str:
    machine = comparison.machine
    return (
        f"Measured on {comparison.date[:10]}: {machine.processor}, {machine.cores} cores, "
        f"{machine.memory:.0f} GiB, {machine.system}.\n\n{_versions(comparison)}"
    )


def _versions(comparison: Comparison) -> str:
    packages = sorted({name for found in comparison.versions.values() for name in found})
    programs = [program for program in NAMES if program in comparison.versions]
    rows = [
        [name, *(comparison.versions[program].get(name, NONE) for program in programs)]
        for name in packages
    ]
    return table(["Package", *(f"with {NAMES[program]}" for program in programs)], rows)


def _model(comparison: Comparison) -> str:
    return f"{comparison.model}; {comparison.neighbours:.0f} neighbours an atom"


def _aims(comparison: Comparison) -> str:
    sizes = [size for size in comparison.sizes if size.atoms in DETAILED]
    head = ["Speed, float64"]
    for size in sizes:
        head += [f"× plain, {size.atoms:,} atoms", f"× compressed, {size.atoms:,} atoms"]
    rows = []
    for aim in AIMS:
        row = [aim.label]
        for size in sizes:
            found = reached(comparison, size, aim)
            row.append(_against(found.plain if found else None, aim.plain))
            row.append(_against(found.compressed if found else None, aim.compressed))
        rows.append(row)
    return table(head, rows)


def _against(found: float | None, wanted: float | None) -> str:
    if found is None:
        return NONE
    if wanted is None:
        return f"{found:.2f}"
    return f"**{found:.2f}** ≥ {wanted:g}" if found >= wanted else f"{found:.2f} < {wanted:g}"


def _speed(comparison: Comparison) -> str:
    sizes = [size for size in comparison.sizes if size.atoms in DETAILED] or comparison.sizes[:1]
    return "\n\n".join(_speed_table(comparison, size) for size in sizes)


def _speed_table(comparison: Comparison, size: Size) -> str:
    rows = []
    for name, timing in _ordered(comparison, size):
        entry = comparison.entry(name)
        times = [timing.typical, timing.fastest]
        row = [label(entry), *(_number(_per_atom(seconds, size)) for seconds in times)]
        if timing.deviation.force is None:
            rows.append([f"{row[0]}, no forces", *row[1:], *[NONE] * 4])
            continue
        ratios = [
            comparison.ratio(size, name, reference) for reference in references(comparison, size)
        ]
        rows.append([*row, *map(_ratio, ratios), *_work_done(comparison, name, size, timing)])
    head = ["", "µs/atom", "best", "× plain", "× compressed", "GFLOP/s", "of the roof"]
    return f"### {size.atoms:,} atoms\n\n{table(head, rows)}"


def _work_done(comparison: Comparison, name: str, size: Size, timing: Timing) -> list[str]:
    """Return the operations of a contestant, GFLOP/s, and their share of the roof."""
    work = comparison.work(name)
    if work is None:
        return [NONE, NONE]
    speed = work.total * size.atoms / timing.typical / 1e9
    share = 100 * speed / comparison.machine.speed[comparison.entry(name).dtype]
    return [_number(speed), f"{share:.0f} %"]


def _ordered(comparison: Comparison, size: Size) -> list[tuple[str, Timing]]:
    """Return the timings, float64 before float32, the fastest first."""

    def rank(item: tuple[str, Timing]) -> tuple[bool, float]:
        return comparison.entry(item[0]).dtype != "float64", item[1].typical

    return sorted(size.timings.items(), key=rank)


def _sizes(comparison: Comparison) -> str:
    rows = [
        [label(entry), *(_at(size, entry, _typical) for size in comparison.sizes)]
        for entry in _present(comparison)
    ]
    return table(["µs/atom", *(f"{size.atoms:,} atoms" for size in comparison.sizes)], rows)


def _start(comparison: Comparison) -> str:
    first = comparison.sizes[0]
    head = ["", "start, s", "import, s", "load, s", f"first {first.atoms} atoms, s", "started, MiB"]
    head += [f"{size.atoms:,} atoms, MiB" for size in comparison.sizes]
    rows = []
    for entry in _present(comparison):
        start = comparison.starts[entry.name]
        times = [start.total, start.imported, start.loaded]
        rows.append(
            [
                label(entry),
                *(f"{seconds:.2f}" for seconds in times),
                _at(first, entry, lambda timing, _: f"{timing.first:.2f}"),
                f"{start.peak:,.0f}",
                *(_at(size, entry, lambda t, _: f"{t.peak:,.0f}") for size in comparison.sizes),
            ]
        )
    return table(head, rows)


def _commands(comparison: Comparison) -> str:
    rows = [
        [f"{NAMES[program]} `dp -h`", f"{median(times):.2f}", f"{min(times):.2f}"]
        for program, times in comparison.commands.items()
    ]
    return table(["", "median, s", "best, s"], rows)


def _agreement(comparison: Comparison) -> str:
    size = comparison.sizes[-1]
    for candidate in comparison.sizes:
        if candidate.atoms == DETAILED[-1]:
            size = candidate
    rows = [
        [
            label(entry),
            _small(size.timings[entry.name].deviation.energy),
            _small(size.timings[entry.name].deviation.force),
            _small(size.timings[entry.name].deviation.virial),
        ]
        for entry in _present(comparison)
        if entry.name in size.timings
    ]
    head = ["Largest difference", "energy, eV/atom", "force, eV/Å", "virial, eV/atom"]
    return (
        f"At {size.atoms:,} atoms, from {label(comparison.entry(size.reference))}; the forces are "
        f"{size.force_scale:.2g} eV/Å in the mean.\n\n{table(head, rows)}"
    )


def _roof(comparison: Comparison) -> str:
    speed, nets, tables = comparison.machine.speed, comparison.nets, comparison.tables
    measured = f"{speed['float64']:.0f} GFLOP/s in float64 and {speed['float32']:.0f} in float32"
    if nets is None or tables is None:
        return measured
    return (
        f"{measured}. Through the networks an atom takes {nets.total / 1e6:.2f} MFLOP: {nets.embedding / 1e6:.2f} in the embedding "
        f"networks, {nets.descriptor / 1e6:.2f} in the descriptor and {nets.fitting / 1e6:.2f} in the "
        f"fitting network. Tables take {tables.embedding / 1e6:.2f} in place of the first, "
        f"{tables.total / 1e6:.2f} in all"
    )


def _remarks(comparison: Comparison) -> str:
    names: dict[str, list[str]] = {}
    for remark in comparison.remarks:
        names.setdefault(remark.reason, []).append(f"`{remark.name}`")
    lines = [f"- {', '.join(those)}: {escaped(reason)}" for reason, those in names.items()]
    return "\n".join(lines) or "Nothing is missing."


def escaped(text: str) -> str:
    """Return a text as Markdown that means nothing but itself."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _present(comparison: Comparison) -> list[Entry]:
    """Return the contestants that were measured at least once, in their order."""
    names = {name for size in comparison.sizes for name in size.timings}
    return [entry for entry in comparison.entries if entry.name in names]


def _at(size: Size, entry: Entry, show: Callable[[Timing, Size], str]) -> str:
    timing = size.timings.get(entry.name)
    return NONE if timing is None else show(timing, size)


def _typical(timing: Timing, size: Size) -> str:
    return _number(_per_atom(timing.typical, size))


def _per_atom(seconds: float, size: Size) -> float:
    return 1e6 * seconds / size.atoms


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _ratio(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _small(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.0e}" if value else "0"


PARTS: dict[str, Callable[[Comparison], str]] = {
    "where": _where,
    "model": _model,
    "aims": _aims,
    "speed": _speed,
    "sizes": _sizes,
    "start": _start,
    "commands": _commands,
    "agreement": _agreement,
    "roof": _roof,
    "remarks": _remarks,
}
