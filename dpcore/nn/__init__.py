"""Layers and networks that the components are assembled from."""

from dpcore.nn.activation import activation
from dpcore.nn.dense import Dense
from dpcore.nn.mlp import MLP
from dpcore.nn.net_by_kind import NetByKind

__all__ = ["MLP", "Dense", "NetByKind", "activation"]
