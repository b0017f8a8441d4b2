"""Floating-point operations that the energy and forces of a model need."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from benchmarks.vs_deepmd.results import Work
from dpcore.models import StandardModel

POLYNOMIAL = 18
"""Value (5 multiplications, 5 additions) and slope (4 and 4) of a fifth-order polynomial by Horner's rule."""
ROW = 4
"""Numbers in an environment row."""
COUNTED = ("se_e2_a", "se_atten")


def work(model: StandardModel, neighbours: float, *, tables: bool) -> Work | None:
    """Count the operations for one atom, forward and backward, of the least that has to be done.

    Only multiplications and additions in matrix products and tables count: no activation functions, bias
    terms or environment rows, and no places of ``sel`` that hold no neighbour. Parameters are not
    differentiated, so the backward pass of a layer costs what its forward pass costs. None for other
    descriptors than these, whose operations are not counted.

    Args:
        model: a model, with the descriptor ``se_e2_a`` or ``se_atten`` to be counted.
        neighbours: mean number of neighbours of an atom.
        tables: count tables of the embedding networks in place of the networks.
    """
    descriptor: Any = model.descriptor
    if descriptor.type_name not in COUNTED:
        return None
    axis = descriptor.axis_neuron
    width = descriptor.neuron[-1]
    # Types are folded into the biases of the first layer.
    one = POLYNOMIAL * width if tables else 2 * dense([1, *descriptor.neuron])
    # Gᵀ R, from which both the features G and the rows R get their share of the gradient.
    moments = 3 * 2 * width * ROW * neighbours
    # The moments times some of their own columns, differentiated by both factors.
    product = 3 * 2 * width * axis * ROW
    layers = getattr(descriptor, "attn_layer", 0)
    if layers:
        product += layers * attention(width, descriptor.attn, neighbours)
    fitting = 2 * dense([descriptor.width, *model.fitting.neuron, 1])
    return Work(one * neighbours, moments + product, fitting)


def attention(width: int, hidden: int, neighbours: float) -> float:
    """Return the operations of one layer of attention among the neighbours, forward and backward.

    Queries, keys, values and the output are dense layers; the scores and the weighted sum are products
    that are differentiated by both factors.
    """
    projections = 2 * neighbours * (dense([width, 3 * hidden]) + dense([hidden, width]))
    return projections + 2 * 3 * 2 * neighbours * neighbours * hidden


def dense(widths: Sequence[int]) -> float:
    """Return the operations of layers of these widths for one row, forward."""
    return float(sum(2 * n * m for n, m in pairwise(widths)))
