"""The command line program, installed as ``dp`` and ``dpcore``."""

from dpcore.cli.program import main

__all__ = ["main"]
