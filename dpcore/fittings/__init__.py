"""Fittings: from descriptors to properties of atoms."""

from dpcore.fittings.dipole import DipoleFitting
from dpcore.fittings.dos import DOSFitting
from dpcore.fittings.energy import EnergyFitting
from dpcore.fittings.fitting import FITTINGS, Fitting
from dpcore.fittings.gated_energy import GatedEnergyFitting
from dpcore.fittings.polar import PolarFitting
from dpcore.fittings.property import PropertyFitting

__all__ = [
    "FITTINGS",
    "DOSFitting",
    "DipoleFitting",
    "EnergyFitting",
    "Fitting",
    "GatedEnergyFitting",
    "PolarFitting",
    "PropertyFitting",
]
