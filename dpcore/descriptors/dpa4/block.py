"""One layer: messages, and networks of each atom."""

from collections.abc import Callable
from typing import Any

from dpcore.descriptors.dpa4.convolution import Convolution
from dpcore.descriptors.dpa4.edges import Edges
from dpcore.descriptors.dpa4.feed import FeedForward
from dpcore.nn.so3.depth import DepthMix
from dpcore.nn.so3.focus import by_focus, joined
from dpcore.nn.so3.norms import RowsNorm
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace, shape

Unit = Callable[[Any], Any]


class FeedUnit(Module, name="dpa4_feed_unit"):
    """A network of each atom between normalisations.

    Attributes:
        before: normalises what is given, or None.
        network: the network.
        after: normalises the result, or None.
        scale: factors of the result, ``(channel,)``, or None.
    """

    before: RowsNorm | None
    network: FeedForward
    after: RowsNorm | None
    scale: Any = param()

    def __call__(self, x: Any) -> Any:
        """Return ``(atom, row, channel)``."""
        y = _normed(self.after, self.network(_normed(self.before, x, self.network.lmax)))
        return y if self.scale is None else y * self.scale


class MessageUnit(Module, name="dpa4_message_unit"):
    """Messages between normalisations.

    Attributes:
        before: normalises what is given, or None.
        convolution: exchanges the messages.
        after: normalises the result, or None.
    """

    before: RowsNorm | None
    convolution: Convolution
    after: RowsNorm | None

    def __call__(self, x: Any, edges: Edges, radial: Any) -> Any:
        """Return ``(atom, row, channel)``; messages have no rows of higher degrees than the convolution.

        Args:
            x: features of the atoms.
            edges: the edges.
            radial: ``(edge, degree, channel)``.
        """
        xp, lmax = namespace(x), self.convolution.lmax
        dim, rows = (lmax + 1) ** 2, shape(x)[1]
        y = _normed(self.before, x[:, :dim, :], lmax)
        y = _normed(self.after, self.convolution(y, edges, radial[:, : lmax + 1, :]), lmax)
        return y if rows == dim else xp.concat([y, xp.zeros_like(x[:, dim:, :])], axis=1)


class Block(Module, name="dpa4_block"):
    """Messages and then one or more networks of each atom.

    Attributes:
        messages: the messages.
        feeds: the networks.
    """

    lmax: int = setting(doc="the highest degree of the features of an atom")
    messages: MessageUnit
    feeds: tuple[FeedUnit, ...]

    def units(self, edges: Edges, radial: Any) -> list[Unit]:
        """Return what is done one after another, as functions of features.

        Args:
            edges: the edges.
            radial: ``(edge, degree, channel)``.
        """
        return [lambda x: self.messages(x, edges, radial), *self.feeds]


class Blocks(Module, name="dpa4_blocks"):
    """Blocks one after another.

    The results of their units are added to the features. With attention over depth, a unit is given a mean
    of the first features and of the results before it, of each unit (``full``) or their sums in each block
    (``block``); so is, last, the network that comes after the blocks.

    Attributes:
        blocks: the blocks.
        mixes: the means, for each unit and the last one; none without attention.
    """

    lmax: int = setting(doc="the highest degree of the last features")
    full: bool = setting(False, doc="look at the results of each unit")
    blocks: tuple[Block, ...]
    mixes: tuple[DepthMix, ...] = ()

    def __call__(self, x: Any, edges: Edges, radial: Any) -> Any:
        """Return the last features, ``(atom, row, channel)``.

        Args:
            x: the first features.
            edges: the edges.
            radial: ``(edge, degree, channel)``.
        """
        if self.mixes:
            return self._attended(x, edges, radial)
        for block in self.blocks:
            x = x[:, : (block.lmax + 1) ** 2, :]
            for unit in block.units(edges, radial):
                x = x + unit(x)
        return x

    def _attended(self, x: Any, edges: Edges, radial: Any) -> Any:
        history, latest, mixes = [x], x, iter(self.mixes)
        for block in self.blocks:
            for i, unit in enumerate(block.units(edges, radial)):
                latest = unit(_mean(next(mixes), history, latest, block.lmax))
                if self.full or i == 0:
                    history.append(latest)
                else:
                    history[-1] = history[-1] + latest
        return _mean(next(mixes), history, latest, self.lmax)


def _mean(mix: DepthMix, history: list[Any], latest: Any, lmax: int) -> Any:
    """Return a mean of features up to a degree."""
    cut = [x[:, : (lmax + 1) ** 2, :] for x in history]
    return mix(cut, [x[:, 0, :] for x in cut], latest[:, 0, :])


def _normed(norm: RowsNorm | None, x: Any, lmax: int | None = None) -> Any:
    """Return normalised features, ``(atom, row, channel)``."""
    if norm is None:
        return x
    if lmax is None:
        lmax = int(shape(norm.scale)[0]) - 1
    return joined(norm(by_focus(x, 1), Rows.by_degree(lmax)))
