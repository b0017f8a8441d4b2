"""Invariants of vectors that rotate with the atoms (Zhang et al., npj Comput. Mater. 10, 293 (2024))."""

from typing import Any

from dpcore.xp import namespace, shape


def symmetrised(moments: Any, axis_neuron: int) -> Any:
    """Return the products ``Mᵀ< M / 3``, ``(centre, axis_neuron * n)``, the first ``axis_neuron`` outer.

    Args:
        moments: M, sums of features times vectors, ``(centre, 3, n)``.
        axis_neuron: how many of its columns ``M<`` has.
    """
    xp, (centres, _, n) = namespace(moments), shape(moments)
    first = xp.permute_dims(moments[:, :, :axis_neuron], (0, 2, 1))
    return xp.reshape(xp.matmul(first, moments) * (1.0 / 3.0), (centres, axis_neuron * n))
