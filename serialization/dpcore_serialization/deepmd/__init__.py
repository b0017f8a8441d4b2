"""DeePMD-kit's nested model dictionaries, to and from model trees.

A component is a pair of functions: one reads its dictionary, the other writes it. Both work on any leaves:
NumPy arrays for a `.yaml` file, dataset paths for the header of a `.dp` file.
"""

from dpcore_serialization.deepmd.fields import UnwritableError
from dpcore_serialization.deepmd.models import read_model, write_model

__all__ = ["UnwritableError", "read_model", "write_model"]
