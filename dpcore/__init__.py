"""Deep Potential models, written once and run on every backend."""

__version__ = "0.1.0"
