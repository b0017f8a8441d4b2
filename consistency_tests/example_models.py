"""All examples: the tests that every component gets by having one run over these."""

import importlib
from pathlib import Path

from examples.example import CELL, RCUT, RCUT_SMTH, TYPES, Example, descriptors_of
from examples.se_e2_a import EXAMPLES as PAIRWISE
from examples.se_e2_a import example

__all__ = [
    "BY_NAME",
    "CASES",
    "CELL",
    "EXAMPLES",
    "PAIRWISE",
    "RCUT",
    "RCUT_SMTH",
    "TYPES",
    "Example",
    "descriptors_of",
    "example",
]


def collected() -> list[Example]:
    """Return the examples of all components, each of which has a module beside this one."""
    files = sorted(Path(__file__).with_name("examples").glob("*.py"))
    modules = [importlib.import_module(f"examples.{f.stem}") for f in files if f.stem != "example"]
    return [example for module in modules for example in module.EXAMPLES]


EXAMPLES = collected()
BY_NAME = {e.name: e for e in EXAMPLES}
assert len(BY_NAME) == len(EXAMPLES), "two examples share a name"

# Every example with each of its boundaries.
CASES = [(e, periodic) for e in EXAMPLES for periodic in e.boundaries]
