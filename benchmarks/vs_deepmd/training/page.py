"""A comparison of training as a section of the documentation."""

import re
from pathlib import Path
from statistics import median

from benchmarks.vs_deepmd.page import NAMES, NONE, TRAINING, escaped, table
from benchmarks.vs_deepmd.training.results import Found, Learner


def section(found: Found) -> str:
    """Return the figures of a case as Markdown."""
    reached = found.reached
    aim = (
        NONE
        if reached is None
        else f"{reached:.2f} {'≥' if reached >= found.aim else '<'} {found.aim:g}"
    )
    machine = found.machine
    versions = "; ".join(
        f"{NAMES[program]} with {', '.join(f'{name} {v}' for name, v in sorted(packages.items()))}"
        for program, packages in found.versions.items()
    )
    parts = [
        (
            f"Measured on {found.date[:10]}: {machine.processor}, {machine.cores} cores, {machine.memory:.0f} "
            f"GiB, {machine.system}; {versions}. By `{found.command}`, {_rounds(found)} rounds of "
            f"{found.steps} steps."
        ),
        f"Model: {found.model}.\nData: {found.data}.",
        _figures(found),
        f"The fastest of dpcore over the fastest of DeePMD-kit, for each frame: {aim} that is aimed at.",
    ]
    missing = [f"- `{remark.name}`: {escaped(remark.reason)}" for remark in found.remarks]
    if missing:
        parts.append("Not measured:\n\n" + "\n".join(missing))
    return "\n\n".join(parts)


def _rounds(found: Found) -> int:
    return max((len(pace.samples) for pace in found.paces.values()), default=0)


def _figures(found: Found) -> str:
    best = found.fastest()
    several = any(learner.frames != 1 for learner in found.measured)
    head = ["", "s/step", "CPU s/step"]
    head += ["frames/step", "ms/frame"] if several else []
    head += ["× fastest", *(["× same frames/step"] if several else []), "first, s", "MiB"]
    rows = []
    for learner in found.measured:
        pace = found.paces[learner.name]
        row = [_label(learner, several=several), f"{pace.typical:.3g}", f"{median(pace.work):.3g}"]
        if several:
            row += [f"{learner.frames:.1f}", f"{1e3 * found.per_frame(learner):.2f}"]
        row.append(_ratio(found.ratio(learner, best)))
        if several:
            row.append(_ratio(found.ratio(learner, found.fastest(learner.frames))))
        rows.append([*row, f"{pace.first:.1f}", f"{pace.peak:,.0f}"])
    return table(head, rows)


def _ratio(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _label(learner: Learner, *, several: bool) -> str:
    name = f"{NAMES[learner.program]} `{learner.backend}`"
    return f"{name}, {learner.layout}, `{learner.batch}`" if several else name


def write_section(found: Found, page: Path) -> None:
    """Write the figures of a case under its heading in a page, in place of what is there."""
    text, heading = page.read_text(encoding="utf-8"), TRAINING[found.case]
    pattern = rf"(?ms)^{re.escape(heading)}\n.*?(?=^##)"
    new, count = re.subn(pattern, lambda _: f"{heading}\n\n{section(found)}\n\n", text)
    if not count:
        raise ValueError(f"{page}: no heading {heading!r}")
    page.write_text(new, encoding="utf-8")
