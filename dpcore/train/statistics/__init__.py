"""What data tells a model before training: averages, deviations, biases and numbers of neighbours."""

from dpcore.train.statistics.auto_sel import Fitted, with_auto_sel
from dpcore.train.statistics.change import (
    bias_of,
    biased_types,
    set_bias,
    shift_bias,
    with_bias,
)
from dpcore.train.statistics.gather import Statistics, statistics_of, with_statistics
from dpcore.train.statistics.neighbours import NeighbourStatistics, neighbour_statistics
from dpcore.train.statistics.stat_file import StatFile

__all__ = [
    "Fitted",
    "NeighbourStatistics",
    "StatFile",
    "Statistics",
    "bias_of",
    "biased_types",
    "neighbour_statistics",
    "set_bias",
    "shift_bias",
    "statistics_of",
    "with_auto_sel",
    "with_bias",
    "with_statistics",
]
