"""Frames to train on: where they are stored, and in which order they are taken."""

from dpcore.train.data.dataset import DataSet
from dpcore.train.data.inputs import Inputs
from dpcore.train.data.loader import Loader, Maker, Portion, one_batch
from dpcore.train.data.opening import open_data
from dpcore.train.data.picks import Pick
from dpcore.train.data.sample import Sample, Source
from dpcore.train.data.sampler import Sampler

__all__ = [
    "DataSet",
    "Inputs",
    "Loader",
    "Maker",
    "Pick",
    "Portion",
    "Sample",
    "Sampler",
    "Source",
    "one_batch",
    "open_data",
]
