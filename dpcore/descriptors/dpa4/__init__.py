"""The descriptor DPA-4 and what it is made of."""

from dpcore.descriptors.dpa4.dpa4 import DPA4

__all__ = ["DPA4"]
