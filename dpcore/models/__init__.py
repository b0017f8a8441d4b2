"""Models: a descriptor and a fitting composed into a physical property."""

from dpcore.models.energy import EnergyModel

__all__ = ["EnergyModel"]
