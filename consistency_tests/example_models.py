"""All examples: the tests that every component gets by having one run over these."""

from examples.example import CELL, RCUT, RCUT_SMTH, TYPES, Example, descriptors_of
from examples.se_e2_a import EXAMPLES as PAIRWISE
from examples.se_e2_a import example

from examples import collected

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

EXAMPLES = collected()
BY_NAME = {e.name: e for e in EXAMPLES}
assert len(BY_NAME) == len(EXAMPLES), "two examples share a name"

# Every example with each of its boundaries.
CASES = [(e, periodic) for e in EXAMPLES for periodic in e.boundaries]
