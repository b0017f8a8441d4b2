"""Descriptors: what the fitting networks see of an atom's surroundings."""

from dpcore.descriptors.se_e2_a import SeE2A

__all__ = ["SeE2A"]
