"""How messages are added up."""

from typing import Any

from dpcore.descriptors.dpa4.edges import Edges
from dpcore.descriptors.dpa4.sums import Messages
from dpcore.nn.so3.focus import FocusLinear, by_focus, joined
from dpcore.nn.so3.linear import DegreeLinear
from dpcore.nn.so3.norms import RMSNorm
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, param, setting
from dpcore.xp import namespace, shape


class Attention(Module, name="dpa4_attention"):
    """Messages weighted by how the scalars of centre and neighbour agree, by distance and envelope.

    The weight of an edge is ``e² exp(s) / (z + Σ e² exp(s))`` with its envelope e and a trained z > 0, so that
    it vanishes at the cutoff and neighbours do not have to share a fixed sum.

    Attributes:
        norm: normalises the scalars for queries and keys.
        query: makes the queries.
        key: makes the keys.
        radial: adds to s by radial features, ``(channel, focus, head)``.
        rest: ``softplus⁻¹ z``, ``(focus, head)``.
        gate_norm: normalises the scalars for the gates.
        gate: makes the gates of the heads' results, ``(channel, focus, head)``.
        value: maps the messages, or None.
        out: maps the result, or None.
    """

    lmax: int = setting(doc="the highest degree")
    heads: int = setting(doc="number of heads of a focus")
    eps: float = setting(1e-7, doc="added to z")
    norm: RMSNorm
    query: FocusLinear
    key: FocusLinear
    radial: Any = param()
    rest: Any = param()
    gate_norm: RMSNorm
    gate: Any = param()
    value: DegreeLinear | None
    out: DegreeLinear | None

    @property
    def foci(self) -> int:
        """Number of foci."""
        return int(shape(self.rest)[0])

    def __call__(self, messages: Messages, x: Any, edges: Edges, radial: Any) -> Any:
        """Return the sums, ``(atom, row, channel)``.

        Args:
            messages: the messages.
            x: features of the atoms, ``(atom, row, channel)``.
            edges: the edges.
            radial: radial features of degree 0, ``(edge, channel)``.
        """
        xp, rows = namespace(x), Rows.by_degree(self.lmax)
        scalars = by_focus(x[:, 0, :], self.foci)
        weights = self._weights(scalars, edges, radial)
        # A sum with the same weights for all channels of a focus can be mapped as well as what is summed.
        late = self.heads == 1
        if self.value is not None and not late:
            messages = messages.mapped(self.value, self.foci)
        found = messages.sum(weights, edges.pairs)
        if self.value is not None and late:
            found = joined(self.value(by_focus(found, self.foci), rows))
        atoms, n, channels = shape(found)
        split = xp.reshape(found, (atoms, n, self.foci * self.heads, -1))
        gates = joined(xp.sigmoid(_by_head(self.gate, self.gate_norm(scalars))))
        found = xp.reshape(split * gates[:, None, :, None], (atoms, n, channels))
        if self.out is not None:
            found = joined(self.out(by_focus(found, self.foci), rows))
        return found

    def _weights(self, scalars: Any, edges: Edges, radial: Any) -> Any:
        """Return the weights of the edges, ``(edge, focus · head)``."""
        xp, pairs, heads = namespace(scalars), edges.pairs, self.foci * self.heads
        normed = self.norm(scalars)
        query, key = joined(self.query(normed)), joined(self.key(normed))
        product = pairs.of_centres(query) * pairs.of_neighbours(key)
        wide = shape(product)[1] // heads
        split = xp.reshape(product, (-1, heads, wide))
        logits = xp.sum(split, axis=-1) * wide**-0.5
        logits = logits + joined(_by_head(self.radial, by_focus(radial, self.foci)))
        rest = xp.reshape(xp.softplus(self.rest) + self.eps, (1, heads))
        most = xp.max(xp.concat([logits, xp.log(rest)], axis=0), axis=0, keepdims=True)
        most = xp.stop_gradient(most)
        each = edges.told(edges.envelope * edges.envelope) * xp.exp(logits - most)
        total = pairs.sum(each) + rest * xp.exp(-most)
        return each * pairs.of_centres(1.0 / total)


def _by_head(weight: Any, x: Any) -> Any:
    """Return ``(focus, n, head)`` of ``(focus, n, channel)`` and weights ``(channel, focus, head)``."""
    xp = namespace(x)
    return xp.matmul(x, xp.permute_dims(weight, (1, 0, 2)))


def summed(messages: Messages, edges: Edges) -> Any:
    """Return the sums of messages weighted by the envelope, over a root of the sum of squared weights."""
    total = messages.sum(edges.told(edges.envelope), edges.pairs)
    return total * edges.norm[:, :, None]
