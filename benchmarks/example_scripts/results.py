"""What became of the runs: a small file that is kept beside the page."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

Outcome = Literal["ran", "refused", "failed", "too slow"]

# Signs that a vector is multiplied with, to tell with few numbers how far two of them are apart.
_MARKS = 4


@dataclass(frozen=True)
class Result:
    """What became of a script on a backend.

    Attributes:
        outcome: whether it ran.
        seconds: how long that took, the start of the program included.
        steps: how many steps were taken.
        message: why it did not run.
        errors: the last line of the learning curve, by column.
        marks: of the parameters and of what the optimizer remembers after the last step: the length of the
            vector, and its products with some vectors of signs.
    """

    outcome: Outcome
    seconds: float = 0.0
    steps: int = 0
    message: str = ""
    errors: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, Sequence[float]] = field(default_factory=dict)


# By script and backend.
Results = dict[str, dict[str, Result]]


def read_results(path: Path) -> Results:
    """Return the results in a file; none where there is no such file."""
    if not path.is_file():
        return {}
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {
        script: {name: Result(**result) for name, result in each.items()}
        for script, each in stored.items()
    }


def add_result(path: Path, script: str, backend: str, result: Result) -> Results:
    """Put a result into a file, and return all that it holds then."""
    results = read_results(path)
    results.setdefault(script, {})[backend] = result
    rows = [
        f"{json.dumps(name)}: {{\n"
        + ",\n".join(f"  {json.dumps(b)}: {json.dumps(asdict(each[b]))}" for b in sorted(each))
        + "\n}"
        for name, each in sorted(results.items())
    ]
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    beside.replace(path)
    return results


def marks_of(vector: np.ndarray) -> list[float]:
    """Return the length of a vector, and its products with vectors of signs that depend on its size alone."""
    signs = np.random.default_rng(vector.size).choice([-1.0, 1.0], size=(_MARKS, vector.size))
    return [float(x) for x in (np.linalg.norm(vector), *(signs @ vector))]


def apart(results: Sequence[Result], part: str) -> float:
    """Return how far some runs are apart: the largest distance from the first over its length.

    Products with random signs have the length of the difference on average.
    """
    first, *others = (np.asarray(result.marks[part]) for result in results)
    if first[0] == 0.0:
        return max(abs(float(other[0])) for other in others)
    gaps = [math.sqrt(float(np.mean((other[1:] - first[1:]) ** 2))) for other in others]
    return max(gaps) / float(first[0])
