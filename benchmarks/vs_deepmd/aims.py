"""How fast dpcore means to be, relative to the peer's fastest file."""

from dataclasses import dataclass

from benchmarks.vs_deepmd.results import (
    COMPRESSED,
    DEFAULT,
    EXACT,
    OURS,
    PLAIN,
    THEIRS,
    Comparison,
    Size,
)


@dataclass(frozen=True)
class Aim:
    """A speed to reach in float64.

    Attributes:
        label: whose.
        mode: ``default`` or ``exact``.
        plain: how many times as fast as the peer's fastest plain file.
        compressed: likewise, as its fastest compressed file.
        family: the backend; None for the best.
        kernels: whether with the kernel library.
    """

    label: str
    mode: str
    plain: float
    compressed: float | None = None
    family: str | None = None
    kernels: bool = True


AIMS = (
    Aim("the best backend", DEFAULT, 6.0, 2.2),
    Aim("the best backend, exact", EXACT, 2.5),
    Aim("`torch`", DEFAULT, 3.5, 1.3, "torch"),
    Aim("`jax`", DEFAULT, 3.5, 1.3, "jax"),
    Aim("`tensorflow`", DEFAULT, 3.5, 1.3, "tensorflow"),
    Aim("`numpy`", DEFAULT, 3.5, 1.3, "numpy"),
    Aim("`numpy` without kernels", DEFAULT, 0.5, None, "numpy", kernels=False),
)


@dataclass(frozen=True)
class Reached:
    """What was measured of an aim: the contestant and its ratios, None without a figure."""

    name: str
    plain: float | None
    compressed: float | None


def references(comparison: Comparison, size: Size) -> tuple[str | None, str | None]:
    """Return the peer's fastest plain and fastest compressed file, None where there is none."""
    plain, compressed = (comparison.fastest(size, THEIRS, mode) for mode in (PLAIN, COMPRESSED))
    return plain, compressed


def reached(comparison: Comparison, size: Size, aim: Aim) -> Reached | None:
    """Return how far an aim is reached, or None where nobody was measured for it."""
    times = {
        entry.name: size.timings[entry.name].typical
        for entry in comparison.entries
        if (entry.program, entry.mode, entry.dtype) == (OURS, aim.mode, "float64")
        and entry.name in size.timings
        and aim.family in {None, entry.family}
        and (aim.family is None or entry.kernels == aim.kernels)
    }
    if not times:
        return None
    name = min(times, key=times.__getitem__)
    plain, compressed = references(comparison, size)
    return Reached(
        name, comparison.ratio(size, name, plain), comparison.ratio(size, name, compressed)
    )
