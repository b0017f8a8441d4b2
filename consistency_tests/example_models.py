"""All examples: the tests that every component gets by having one run over these."""

import importlib
from pathlib import Path

from examples.example import CELL, RCUT, RCUT_SMTH, TYPES, Example
from examples.se_e2_a import EXAMPLES as PAIRWISE
from examples.se_e2_a import example

__all__ = [
    "BY_COMPONENT",
    "BY_NAME",
    "CASES",
    "CELL",
    "EXAMPLES",
    "FIRST",
    "PAIRWISE",
    "RCUT",
    "RCUT_SMTH",
    "TYPES",
    "Example",
    "example",
]


def collected() -> dict[str, list[Example]]:
    """Return the examples of each component, which has a module of its own beside this one."""
    files = sorted(Path(__file__).with_name("examples").glob("*.py"))
    names = [file.stem for file in files if file.stem != "example"]
    return {name: importlib.import_module(f"examples.{name}").EXAMPLES for name in names}


BY_COMPONENT = collected()
EXAMPLES = [example for examples in BY_COMPONENT.values() for example in examples]
# One for each component, for tests that take long.
FIRST = [
    next(e for e in examples if e.precision == "float64") for examples in BY_COMPONENT.values()
]
BY_NAME = {e.name: e for e in EXAMPLES}
assert len(BY_NAME) == len(EXAMPLES), "two examples share a name"

# Every example with each of its boundaries.
CASES = [(e, periodic) for e in EXAMPLES for periodic in e.boundaries]
