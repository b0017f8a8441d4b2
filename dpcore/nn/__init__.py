"""Layers and networks that the components are assembled from."""

from dpcore.nn.activation import activation
from dpcore.nn.dense import Dense
from dpcore.nn.mlp import MLP

__all__ = ["MLP", "Dense", "activation"]
