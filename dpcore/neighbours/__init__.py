"""Neighbour search in any cell: pairs, cells and the checks of both."""

from dpcore.neighbours.cell import (
    check_cell,
    check_coordinates,
    heights,
    volume,
)
from dpcore.neighbours.pairs import Pairs, check_separation, neighbour_pairs

__all__ = [
    "Pairs",
    "check_cell",
    "check_coordinates",
    "check_separation",
    "heights",
    "neighbour_pairs",
    "volume",
]
