"""The descriptor DPA-3."""

from dpcore.descriptors.dpa3.dpa3 import DPA3

__all__ = ["DPA3"]
