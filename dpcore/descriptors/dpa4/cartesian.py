"""Features of degrees 0 to 2 as 3 by 3 matrices, whose products couple them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.descriptors.dpa4.edges import Edges
from dpcore.descriptors.dpa4.focus_weights import FocusWeights
from dpcore.descriptors.dpa4.messages import weighted
from dpcore.descriptors.dpa4.sums import Messages
from dpcore.nn.so3.focus import by_focus, joined
from dpcore.nn.so3.gates import Gated
from dpcore.nn.so3.linear import DegreeLinear
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, buffer, setting
from dpcore.xp import as_type_of, namespace, shape


def matrices(lmax: int) -> NDArray[np.float64]:
    """Return an orthonormal basis of matrices that rotate as the rows of features, ``((lmax + 1)², 3, 3)``.

    Degree 0 is the unit matrix, degree 1 are the cross products with y, z and x, degree 2 the symmetric
    matrices of trace 0.

    Args:
        lmax: 1 or 2.
    """
    half, one = math.sqrt(0.5), np.eye(3)
    found = [one / math.sqrt(3.0), *(half * np.cross(one[axis], one).T for axis in (1, 2, 0))]
    if lmax == 2:
        found += [half * _symmetric(0, 1), half * _symmetric(1, 2)]
        found.append(np.diag([-1.0, -1.0, 2.0]) / math.sqrt(6.0))
        found += [half * _symmetric(0, 2), half * np.diag([1.0, -1.0, 0.0])]
    return np.stack(found)


def _symmetric(i: int, j: int) -> NDArray[np.float64]:
    matrix = np.zeros((3, 3))
    matrix[i, j] = matrix[j, i] = 1.0
    return matrix


class CartesianLayer(Module, name="dpa4_cartesian_layer"):
    """A linear map, a product, an activation.

    Attributes:
        linear: the linear map of each focus.
        activation: the activation, or None.
    """

    linear: DegreeLinear
    activation: Gated | None


def _layered(
    layers: tuple[CartesianLayer, ...], x: Any, rows: Rows, foci: int, product: Callable[[Any], Any]
) -> Any:
    """Return features, ``(n, row, channel)``, with all layers added to them."""
    for layer in layers:
        y = product(joined(layer.linear(by_focus(x, foci), rows)))
        if layer.activation is not None:
            y = joined(layer.activation(by_focus(y, foci), rows))
        x = x + y
    return x


class CartesianMessage(Module, name="dpa4_cartesian_message"):
    """Products of the neighbour's features, as matrices, with matrices of the edge's direction.

    Attributes:
        layers: the layers; with none there is one plain product.
        weights: weights of the foci, or None.
        products: the trace of ``B_pᵀ B_d A`` for basis matrices B and a matrix A, ``(9, row · row)``.
    """

    lmax: int = setting(doc="the highest degree, 1 or 2")
    foci: int = setting(doc="number of foci")
    layers: tuple[CartesianLayer, ...]
    weights: FocusWeights | None
    products: Any = buffer(exact=True)

    @staticmethod
    def table(lmax: int) -> NDArray[np.float64]:
        """Return ``products``."""
        basis = matrices(lmax)
        traces = np.einsum("pij,dik->kjpd", basis, basis)
        return np.ascontiguousarray(traces.reshape(9, -1))

    def __call__(self, x: Any, edges: Edges, radial: Any) -> Messages:
        """Return the messages (see :class:`FrameMessage`)."""
        xp, dim = namespace(x), (self.lmax + 1) ** 2
        source, rows = edges.pairs.of_neighbours(x), Rows.by_degree(self.lmax)
        maps = [
            xp.reshape(xp.matmul(a, as_type_of(self.products, a)), (-1, dim, dim))
            for a in _directed(edges.unit)[: self.lmax]
        ]
        same = radial[:, :1, :] * math.sqrt(1.0 / 3.0)

        def product(y: Any) -> Any:
            found = same * y
            for i, each in enumerate(maps, start=1):
                found = found + radial[:, i : i + 1, :] * xp.matmul(each, y)
            return found

        y = _layered(self.layers, source, rows, self.foci, product)
        y = y if self.layers else product(source)
        return Messages(weighted(y, source, radial, self.weights, self.foci), rows)


def _directed(unit: Any) -> list[Any]:
    """Return the antisymmetric and the symmetric matrix of unit vectors, of norm 1, ``(edge, 9)``."""
    xp = namespace(unit)
    x, y, z = (unit[:, i : i + 1] for i in range(3))
    zero, one = xp.zeros_like(x), xp.ones_like(x) * (1.0 / 3.0)
    # The unit vectors are mirrored: what was the cross product has changed its sign.
    cross = xp.concat([zero, z, -y, -z, zero, x, y, -x, zero], axis=1)
    square = xp.concat(
        [x * x - one, x * y, x * z, x * y, y * y - one, y * z, x * z, y * z, z * z - one], axis=1
    )
    return [cross * math.sqrt(0.5), square * math.sqrt(1.5)]


class CartesianProduct(Module, name="dpa4_cartesian_product"):
    """Products of sums of messages with the centre's features, both as matrices.

    Attributes:
        layers: the layers.
        basis: the basis matrices, ``(row, 9)``.
    """

    lmax: int = setting(doc="the highest degree, 1 or 2")
    foci: int = setting(doc="number of foci")
    symmetric: bool = setting(doc="add the product in the reverse order")
    layers: tuple[CartesianLayer, ...]
    basis: Any = buffer(exact=True)

    def __call__(self, sums: Any, x: Any) -> Any:
        """Return the sums with all layers added, ``(atom, row, channel)``."""
        xp, own = namespace(x), self._matrices(x)

        def product(y: Any) -> Any:
            given = self._matrices(y)
            found = xp.matmul(given, own)
            if self.symmetric:
                found = found + xp.matmul(own, given)
            atoms, channels = shape(found)[:2]
            flat = xp.reshape(found, (atoms, channels, 9))
            back = xp.matmul(flat, xp.permute_dims(as_type_of(self.basis, flat), (1, 0)))
            return xp.permute_dims(back, (0, 2, 1))

        return _layered(self.layers, sums, Rows.by_degree(self.lmax), self.foci, product)

    def _matrices(self, x: Any) -> Any:
        """Return ``(atom, channel, 3, 3)``."""
        xp, (atoms, _, channels) = namespace(x), shape(x)
        flat = xp.matmul(xp.permute_dims(x, (0, 2, 1)), as_type_of(self.basis, x))
        return xp.reshape(flat, (atoms, channels, 3, 3))
