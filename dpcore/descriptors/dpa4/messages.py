"""What atoms tell their neighbours."""

from typing import Any

from dpcore.descriptors.dpa4.edges import Edges
from dpcore.descriptors.dpa4.focus_weights import FocusWeights
from dpcore.descriptors.dpa4.sums import Messages
from dpcore.nn.so3.depth import DepthMix
from dpcore.nn.so3.focus import by_focus, joined
from dpcore.nn.so3.gates import Gated
from dpcore.nn.so3.grid_net import GridNet
from dpcore.nn.so3.linear import EdgeLinear
from dpcore.nn.so3.mixer import DegreeMixer
from dpcore.nn.so3.norms import RowsNorm
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace, shape


class EdgeLayer(Module, name="dpa4_edge_layer"):
    """A layer on features in the frame of an edge, which is added to them.

    Attributes:
        norm: normalises them first, or None.
        linear: the linear map.
        activation: the activation, or None.
        scale: factors of the result, ``(focus, channel)``, or None.
    """

    norm: RowsNorm | None
    linear: EdgeLinear
    activation: Gated | GridNet | None
    scale: Any = param()

    def __call__(self, orders: list[Any], rows: Rows, channels: int, factor: Any) -> list[Any]:
        """Return what is added to features, for each order (see :meth:`dpcore.nn.so3.rows.Rows.apart`).

        Args:
            orders: the features, ``(focus, edge, row · channel)`` for each order.
            rows: their rows.
            channels: number of channels.
            factor: what the bias is multiplied by, ``(focus, edge, channel)``, or None.
        """
        if self.norm is not None:
            orders = rows.apart(self.norm(rows.together(orders), rows))
        if factor is not None and isinstance(self.activation, GridNet):
            factor = namespace(factor).concat([factor, factor], axis=-1)
        orders = self.linear(orders, factor)
        if isinstance(self.activation, GridNet):
            orders = rows.apart(self.activation.halves(rows.together(orders), rows))
        elif self.activation is not None:
            orders = self.activation.of_orders(orders, channels)
        if self.scale is not None:
            y = rows.together(orders) * self.scale[:, None, None, :]
            orders = rows.apart(y)
        return orders


class FrameMessage(Module, name="dpa4_frame_message"):
    """The neighbour's features, in the frame of the edge, times radial features and through layers.

    Attributes:
        mixer: mixes degrees by the distance; None for a product with the radial features.
        product: multiplies with the centre's features, which are added, or None.
        layers: the layers.
        mixes: give each layer a mean of what those before it added, or none.
        weights: weights of the foci, or None.
    """

    lmax: int = setting(doc="the highest degree")
    mmax: int = setting(doc="the highest order in the frame of an edge")
    foci: int = setting(doc="number of foci")
    mixer: DegreeMixer | None
    product: GridNet | None
    layers: tuple[EdgeLayer, ...]
    mixes: tuple[DepthMix, ...]
    weights: FocusWeights | None

    def __call__(self, x: Any, edges: Edges, radial: Any) -> Messages:
        """Return the messages.

        Args:
            x: features of the atoms, ``(atom, row, channel)``.
            edges: the edges.
            radial: ``(edge, degree, channel)``.
        """
        rows, frames = Rows.by_order(self.lmax, self.mmax), edges.frames(self.lmax, self.mmax)
        y = by_focus(self._entered(x, edges, radial, rows), self.foci)
        if self.product is not None:
            own = namespace(x).matmul(frames, edges.pairs.of_centres(x))
            y = y + self.product(y, by_focus(own, self.foci), rows)
        bias = by_focus(radial[:, 0, :] * edges.envelope, self.foci)
        channels = int(shape(y)[3])
        orders = self._layered(rows.apart(y), rows, channels, bias)
        if self.weights is not None:
            weights = self.weights(y[:, :, 0, :])
            orders = [order * weights for order in orders]
        return Messages(joined(rows.together(orders)), rows, frames)

    def _entered(self, x: Any, edges: Edges, radial: Any, rows: Rows) -> Any:
        """Return the neighbours' features in the frames, mixed by the distance, ``(edge, row, channel)``."""
        xp, pairs, mixer = namespace(x), edges.pairs, self.mixer
        if mixer is not None and mixer.separable:
            turned = mixer.turned(radial, edges.turns(self.lmax, self.mmax), rows)
            return xp.matmul(turned, pairs.of_neighbours(mixer.spread(x)))
        y = xp.matmul(edges.frames(self.lmax, self.mmax), pairs.of_neighbours(x))
        return rows.times(y, radial) if mixer is None else mixer(y, radial, rows)

    def _layered(self, orders: list[Any], rows: Rows, channels: int, bias: Any) -> list[Any]:
        """Return features, ``(focus, edge, row · channel)`` for each order, after all layers."""
        sources = [orders]
        for i, layer in enumerate(self.layers):
            if self.mixes:
                orders = self._mixed(i, sources, orders, rows)
            added = layer(orders, rows, channels, bias if i == 0 else None)
            orders = [a + b for a, b in zip(orders, added, strict=True)]
            sources.append(added)
        return orders

    def _mixed(self, i: int, sources: list[list[Any]], latest: list[Any], rows: Rows) -> list[Any]:
        flat = [joined(rows.together(source)) for source in sources]
        scalars = [source[:, 0, :] for source in flat]
        y = self.mixes[i](flat, scalars, joined(rows.together(latest))[:, 0, :])
        return rows.apart(by_focus(y, self.foci))


class RadialMessage(Module, name="dpa4_radial_message"):
    """The neighbour's features times radial features.

    Attributes:
        weights: weights of the foci, or None.
    """

    lmax: int = setting(doc="the highest degree")
    foci: int = setting(doc="number of foci")
    weights: FocusWeights | None

    def __call__(self, x: Any, edges: Edges, radial: Any) -> Messages:
        """Return the messages (see :class:`FrameMessage`)."""
        source, rows = edges.pairs.of_neighbours(x), Rows.by_degree(self.lmax)
        y = rows.times(source, radial)
        return Messages(weighted(y, source, radial, self.weights, self.foci), rows)


def weighted(y: Any, source: Any, radial: Any, weights: FocusWeights | None, foci: int) -> Any:
    """Return messages ``(edge, row, channel)`` with their foci weighted by the neighbour's scalars."""
    if weights is None:
        return y
    scalars = by_focus(source[:, 0, :] * radial[:, 0, :], foci)
    return joined(by_focus(y, foci) * weights(scalars)[..., None])
