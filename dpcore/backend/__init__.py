"""What a backend is, and the reference backend on NumPy."""

from dpcore.backend.adapter import Adapter, Capabilities, Exporter, by_structure, to_backend

__all__ = ["Adapter", "Capabilities", "Exporter", "by_structure", "to_backend"]
