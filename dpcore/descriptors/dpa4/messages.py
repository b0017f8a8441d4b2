"""What atoms tell their neighbours."""

from typing import Any

from dpcore.descriptors.dpa4.edges import Edges
from dpcore.descriptors.dpa4.focus_weights import FocusWeights
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

    def __call__(self, x: Any, rows: Rows, factor: Any) -> Any:
        """Return what is added to features ``(focus, edge, row, channel)``.

        Args:
            x: the features.
            rows: their rows.
            factor: what the bias is multiplied by, ``(focus, edge, channel)``, or None.
        """
        y = x if self.norm is None else self.norm(x, rows)
        if factor is not None and isinstance(self.activation, GridNet):
            factor = namespace(x).concat([factor, factor], axis=-1)
        y = self.linear(y, rows, factor)
        if isinstance(self.activation, GridNet):
            y = self.activation.halves(y, rows)
        elif self.activation is not None:
            y = self.activation(y, rows)
        return y if self.scale is None else y * self.scale[:, None, None, :]


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

    def __call__(self, x: Any, edges: Edges, radial: Any) -> Any:
        """Return the messages, ``(edge, row, channel)``.

        Args:
            x: features of the atoms, ``(atom, row, channel)``.
            edges: the edges.
            radial: ``(edge, degree, channel)``.
        """
        rows, cut = Rows.by_order(self.lmax, self.mmax), (self.lmax, self.mmax)
        y = edges.into_frames(edges.pairs.of_neighbours(x), *cut)
        y = rows.times(y, radial) if self.mixer is None else self.mixer(y, radial, rows)
        y = by_focus(y, self.foci)
        if self.product is not None:
            own = edges.into_frames(edges.pairs.of_centres(x), *cut)
            y = y + self.product(y, by_focus(own, self.foci), rows)
        scalars = y[:, :, 0, :]
        bias = by_focus(radial[:, 0, :] * edges.envelope, self.foci)
        y = self._layered(y, rows, bias)
        if self.weights is not None:
            y = y * self.weights(scalars)[..., None]
        return edges.out_of_frames(joined(y), *cut)

    def _layered(self, y: Any, rows: Rows, bias: Any) -> Any:
        """Return features ``(focus, edge, row, channel)`` after all layers."""
        sources = [y]
        for i, layer in enumerate(self.layers):
            if self.mixes:
                y = self._mixed(i, sources, y)
            added = layer(y, rows, bias if i == 0 else None)
            y = y + added
            sources.append(added)
        return y

    def _mixed(self, i: int, sources: list[Any], latest: Any) -> Any:
        flat = [joined(source) for source in sources]
        scalars = [source[:, 0, :] for source in flat]
        y = self.mixes[i](flat, scalars, joined(latest)[:, 0, :])
        return by_focus(y, self.foci)


class RadialMessage(Module, name="dpa4_radial_message"):
    """The neighbour's features times radial features.

    Attributes:
        weights: weights of the foci, or None.
    """

    lmax: int = setting(doc="the highest degree")
    foci: int = setting(doc="number of foci")
    weights: FocusWeights | None

    def __call__(self, x: Any, edges: Edges, radial: Any) -> Any:
        """Return the messages (see :class:`FrameMessage`)."""
        source = edges.pairs.of_neighbours(x)
        y = Rows.by_degree(self.lmax).times(source, radial)
        return weighted(y, source, radial, self.weights, self.foci)


def weighted(y: Any, source: Any, radial: Any, weights: FocusWeights | None, foci: int) -> Any:
    """Return messages ``(edge, row, channel)`` with their foci weighted by the neighbour's scalars."""
    if weights is None:
        return y
    scalars = by_focus(source[:, 0, :] * radial[:, 0, :], foci)
    return joined(by_focus(y, foci) * weights(scalars)[..., None])


def scalars_of(x: Any) -> Any:
    """Return the features of degree 0, ``(n, channel)``, of ``(n, row, channel)``."""
    return namespace(x).reshape(x[:, 0, :], (shape(x)[0], shape(x)[2]))
