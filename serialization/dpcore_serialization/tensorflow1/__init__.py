"""Models of DeePMD-kit's TensorFlow 1 code, from their settings and the values of their variables."""

from dpcore_serialization.tensorflow1.files import read_weights
from dpcore_serialization.tensorflow1.models import read_model
from dpcore_serialization.tensorflow1.npz import NpzSource
from dpcore_serialization.tensorflow1.variables import Source, Variables

__all__ = ["NpzSource", "Source", "Variables", "read_model", "read_weights"]
