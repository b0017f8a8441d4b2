"""DPA-2: the first features of atoms, and layers that update them by those of their neighbours."""

from dpcore.descriptors.dpa2.dpa2 import DPA2

__all__ = ["DPA2"]
