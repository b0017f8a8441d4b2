"""Labelled data systems in DeePMD-kit's layouts: found, read, checked, and given as plain arrays."""

from dpcore.data.find import find_systems
from dpcore.data.inputs import systems_from_datafile, systems_from_input
from dpcore.data.load import load_system
from dpcore.data.system import System

__all__ = [
    "System",
    "find_systems",
    "load_system",
    "systems_from_datafile",
    "systems_from_input",
]
