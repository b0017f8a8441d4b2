"""Losses."""

from dpcore.train.losses.dos import DOSLoss
from dpcore.train.losses.ener import EnergyLoss
from dpcore.train.losses.ener_spin import SpinEnergyLoss
from dpcore.train.losses.loss import LOSSES, Loss, LossValue
from dpcore.train.losses.property import PropertyLoss
from dpcore.train.losses.tensor import TensorLoss

__all__ = [
    "LOSSES",
    "DOSLoss",
    "EnergyLoss",
    "Loss",
    "LossValue",
    "PropertyLoss",
    "SpinEnergyLoss",
    "TensorLoss",
]
