"""Invariants of the moments of an environment."""

from typing import Any

from dpcore.descriptors.descriptor import Description
from dpcore.xp import namespace, shape


def contracted(moments: Any, axis_neuron: int) -> Description:
    """Return the products ``Mᵀ M<`` of moments with their first columns, and their vectors as frames.

    Args:
        moments: ``M = Rᵀ G / N``, ``(centre, 4, neuron)``: a row of numbers and three of vectors.
        axis_neuron: number of columns of ``M<``.

    Returns:
        features ``(centre, neuron * axis_neuron)`` and frames ``(centre, neuron, 3)``.
    """
    xp, (_, rows, neuron) = namespace(moments), shape(moments)
    axis = xp.split(moments, [axis_neuron, neuron - axis_neuron], axis=2)[0]
    turned = xp.permute_dims(moments, (0, 2, 1))
    features = xp.reshape(xp.matmul(turned, axis), (shape(moments)[0], neuron * axis_neuron))
    return Description(features, xp.split(turned, [1, rows - 1], axis=2)[1])
