"""Electrostatics of Gaussian charges in periodic cells."""

from dpcore.longrange.centroids import ChargedFrame
from dpcore.longrange.ewald import METHODS, Electrostatics, ewald

__all__ = ["METHODS", "ChargedFrame", "Electrostatics", "ewald"]
