"""Attention of repformer layers: of an atom to its neighbours, and among these."""

from typing import Any, Self

import numpy as np

from dpcore.descriptors.dpa2.around import Around
from dpcore.nn import Dense
from dpcore.nn.linear import linear
from dpcore.tree import Module
from dpcore.xp import namespace, shape


class AtomAttention(Module, name="dpa2_atom_attention"):
    """Attention of an atom to its neighbours, with several heads.

    Queries are made of the atom's features, keys and values of those of the neighbours, of which nothing but
    their weighted sums is projected.

    Attributes:
        heads: number of heads.
        queries: gives the queries of all heads, ``(hidden * heads)``, the head inner.
        keys_values: gives keys and values, ``((hidden + width) * heads)``.
        merged: takes the heads' results, ``(heads * width)``, the head outer.
    """

    heads: int
    queries: Dense
    keys_values: Dense
    merged: Dense

    @classmethod
    def create(
        cls, rng: np.random.Generator, width: int, hidden: int, heads: int, **told: Any
    ) -> Self:
        """Draw the attention of atoms of ``width`` features, with keys of length ``hidden``."""
        return cls(
            heads=heads,
            queries=linear(rng, width, hidden * heads, bias=False, **told),
            keys_values=linear(rng, width, (hidden + width) * heads, bias=False, **told),
            merged=linear(rng, heads * width, width, **told),
        )

    @property
    def hidden(self) -> int:
        """Length of queries and keys."""
        return int(shape(self.queries.weight)[1]) // self.heads

    def __call__(self, atoms: Any, neighbours: Any, around: Around) -> Any:
        """Return what atoms learn from their neighbours, ``(centre, width)``.

        Args:
            atoms: features of the centres, ``(centre, width)``.
            neighbours: features of the neighbours, ``(centre, neighbour, width)``.
            around: the neighbours.
        """
        xp, (n, width), heads = namespace(atoms), shape(atoms), self.heads
        by_key, by_value = self._by_head()
        queries = xp.reshape(self.queries(atoms), (n, self.hidden, heads))
        sought = xp.matmul(xp.permute_dims(queries, (2, 0, 1)), xp.permute_dims(by_key, (0, 2, 1)))
        sought = xp.permute_dims(sought, (1, 0, 2)) * self.hidden**-0.5
        logits = xp.matmul(sought, xp.permute_dims(neighbours, (0, 2, 1)))
        seen = xp.matmul(around.attention(logits, around.by_key), neighbours)
        out = xp.reshape(self.merged.weight, (heads, width, width))
        folded = xp.reshape(xp.matmul(by_value, out), (heads * width, width))
        return xp.matmul(xp.reshape(seen, (n, heads * width)), folded) + self.merged.bias

    def _by_head(self) -> list[Any]:
        """Return the weights that give keys, ``(head, width, hidden)``, and values, ``(head, width, width)``."""
        weight = self.keys_values.weight
        xp, width = namespace(weight), shape(weight)[0]
        by_head = xp.reshape(weight, (width, self.hidden + width, self.heads))
        by_head = xp.permute_dims(by_head, (2, 0, 1))
        return list(xp.split(by_head, [self.hidden, width], axis=2))


class PairAttention(Module, name="dpa2_pair_attention"):
    """How much the neighbours of an atom attend to each other, with several heads.

    It is multiplied by the scalar products of the vectors to them over √3, and with ``gate`` so are the
    logits.

    Attributes:
        heads: number of heads.
        gate: whether logits are multiplied by the scalar products as well.
        queries_keys: gives queries and keys, ``(hidden * 2 heads)``, the head inner.
    """

    heads: int
    gate: bool
    queries_keys: Dense

    @property
    def hidden(self) -> int:
        """Length of queries and keys."""
        return int(shape(self.queries_keys.weight)[1]) // (2 * self.heads)

    def __call__(self, pairs: Any, vectors: Any, around: Around) -> Any:
        """Return the attention of each neighbour to each, ``(centre, head, neighbour, neighbour)``.

        Args:
            pairs: features of the pairs, ``(centre, neighbour, width)``.
            vectors: what rotates with them, ``(centre, neighbour, 3)``.
            around: the neighbours.
        """
        xp, (n, k, _), heads = namespace(pairs), shape(pairs), self.heads
        both = xp.reshape(self.queries_keys(pairs), (n, k, self.hidden, 2 * heads))
        both = xp.permute_dims(both, (0, 3, 1, 2))
        queries, keys = xp.split(both, [heads, heads], axis=1)
        logits = xp.matmul(queries * self.hidden**-0.5, xp.permute_dims(keys, (0, 1, 3, 2)))
        products = xp.matmul(vectors, xp.permute_dims(vectors, (0, 2, 1)))[:, None, :, :]
        weight = (around.weight * around.by_key)[:, None, :, :]
        found = around.attention(logits * products if self.gate else logits, weight)
        return found * (products * 3**-0.5)


class Heads(Module, name="dpa2_heads"):
    """What pairs learn from the other pairs of their atom.

    Attributes:
        values: gives the values of all heads, ``(width * heads)``, the head inner.
        merged: takes the heads' results, in the same order.
    """

    values: Dense
    merged: Dense

    def __call__(self, attention: Any, pairs: Any) -> Any:
        """Return the results, ``(centre, neighbour, width)``.

        Args:
            attention: attention of the neighbours to each other, ``(centre, head, neighbour, neighbour)``.
            pairs: features of the pairs, ``(centre, neighbour, width)``.
        """
        xp, (n, k, width), heads = namespace(pairs), shape(pairs), shape(attention)[1]
        seen = by_head(attention, pairs)
        by_value = xp.reshape(self.values.weight, (width, width, heads))
        out = xp.reshape(self.merged.weight, (width, heads, width))
        folded = xp.matmul(xp.permute_dims(by_value, (2, 0, 1)), xp.permute_dims(out, (1, 0, 2)))
        rows = xp.reshape(xp.permute_dims(seen, (0, 2, 1, 3)), (n, k, heads * width))
        found = xp.matmul(rows, xp.reshape(folded, (heads * width, width)))
        return found + self.merged.bias


def by_head(attention: Any, y: Any) -> Any:
    """Return ``Σ_k A_jk y_k`` of each head, ``(centre, head, neighbour, n)``.

    Args:
        attention: A, ``(centre, head, neighbour, neighbour)``.
        y: ``(centre, neighbour, n)``.
    """
    return namespace(y).matmul(attention, y[:, None, :, :])
