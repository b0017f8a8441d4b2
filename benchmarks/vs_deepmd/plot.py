"""Time an atom over the number of atoms, as SVG."""

import io
from typing import Any

from benchmarks.vs_deepmd.results import (
    COMPRESSED,
    DEFAULT,
    EXACT,
    OURS,
    PLAIN,
    THEIRS,
    Comparison,
    Entry,
)

# A colour for each framework, ours and the peer's, told apart by the colour-blind too (Okabe and Ito).
BLACK, ORANGE, BLUE, GREEN = "#000000", "#d55e00", "#0072b2", "#009e73"
COLOURS = {
    "numpy": BLACK,
    "dp": BLACK,
    "torch": ORANGE,
    "pth": ORANGE,
    "pt2": ORANGE,
    "tensorflow": BLUE,
    "pb": BLUE,
    "savedmodeltf": BLUE,
    "jax": GREEN,
    "hlo": GREEN,
    "savedmodel": GREEN,
}
# Files of one framework differ by their marks.
MARKS = {"pt2": "D", "savedmodeltf": "D", "hlo": "D"}
OTHER = "#cc79a7"
LEGENDS = {OURS: ("dpcore", "outside right upper"), THEIRS: ("DeePMD-kit", "outside right lower")}
LEGEND: dict[str, Any] = {"alignment": "left", "handlelength": 3.2, "fontsize": 9}
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "performance",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
}


def plot(comparison: Comparison) -> str:
    """Return a plot of the float64 contestants: ours solid, the peer's dashed."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = STYLE
    with mpl.rc_context(style):
        figure = Figure(figsize=(9.2, 5.4), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        lines = {entry: _draw(axes, comparison, entry) for entry in shown(comparison)}
        _name_axes(axes, comparison)
        for program, (title, place) in LEGENDS.items():
            own = [line for entry, line in lines.items() if entry.program == program]
            if own:
                legend: dict[str, Any] = {"title": title, "loc": place, **LEGEND}
                figure.legend(handles=own, **legend)
        buffer = io.StringIO()
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=metadata)
    return "".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines())


def shown(comparison: Comparison) -> list[Entry]:
    """Return the contestants to draw: all in float64 with forces, but of our exact ones the fastest."""
    last = comparison.sizes[-1]
    fastest = comparison.fastest(last, OURS, EXACT)
    names = {
        name
        for size in comparison.sizes
        for name, timing in size.timings.items()
        if timing.deviation.force is not None
    }
    entries = [e for e in comparison.entries if e.name in names and e.dtype == "float64"]
    return [e for e in entries if e.mode != EXACT or e.name == fastest]


def _draw(axes: Any, comparison: Comparison, entry: Entry) -> Any:
    sizes = [size for size in comparison.sizes if entry.name in size.timings]
    times = [1e6 * size.timings[entry.name].typical / size.atoms for size in sizes]
    colour = COLOURS.get(entry.family, OTHER)
    # Filled: with tables and kernels, or compressed.
    filled = entry.mode in {DEFAULT, COMPRESSED} and entry.kernels
    (line,) = axes.plot(
        [size.atoms for size in sizes],
        times,
        linestyle="-" if entry.program == OURS else (0, (4, 2.5)),
        linewidth=2.0 if entry.program == OURS else 1.3,
        color=colour,
        marker=MARKS.get(entry.family, "o" if entry.program == OURS else "s"),
        markersize=6.5,
        markerfacecolor=colour if filled else "white",
        label=_label(entry),
    )
    return line


def _label(entry: Entry) -> str:
    family = f".{entry.family}" if entry.program == THEIRS else entry.family
    mode = "" if entry.mode in {DEFAULT, PLAIN} else f", {entry.mode}"
    return f"{family}{'' if entry.kernels else ', no kernels'}{mode}"


def _name_axes(axes: Any, comparison: Comparison) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    atoms = [size.atoms for size in comparison.sizes]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("atoms")
    axes.set_ylabel("µs an atom: energy, forces, virial")
    axes.set_xticks(atoms, [f"{n:,}" for n in atoms])
    axes.xaxis.set_minor_locator(NullLocator())
    plain_numbers = FuncFormatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(plain_numbers)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, which="minor", axis="y", linewidth=0.3)
