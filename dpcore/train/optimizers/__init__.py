"""Optimizers."""

from dpcore.train.optimizers.adam import Adam, AdamW
from dpcore.train.optimizers.adamuon import AdaMuon
from dpcore.train.optimizers.goals import STEP, Goal
from dpcore.train.optimizers.hybrid_muon import HybridMuon
from dpcore.train.optimizers.kalman import KalmanFilter
from dpcore.train.optimizers.optimizer import OPTIMIZERS, Optimizer

__all__ = [
    "OPTIMIZERS",
    "STEP",
    "AdaMuon",
    "Adam",
    "AdamW",
    "Goal",
    "HybridMuon",
    "KalmanFilter",
    "Optimizer",
]
