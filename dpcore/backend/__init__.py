"""What a backend is, and the reference backend on NumPy."""

from dpcore.backend.adapter import Adapter, Capabilities

__all__ = ["Adapter", "Capabilities"]
