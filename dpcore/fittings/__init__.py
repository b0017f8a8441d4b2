"""Fitting networks: from an atom's descriptor to its share of a property."""

from dpcore.fittings.energy import EnergyFitting

__all__ = ["EnergyFitting"]
