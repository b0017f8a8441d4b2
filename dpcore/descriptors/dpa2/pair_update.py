"""The update of the features of pairs, and of their vectors, in a repformer layer."""

from typing import Any, Self

import numpy as np

from dpcore.descriptors.dpa2.around import Around, Here
from dpcore.descriptors.dpa2.attention import Heads, PairAttention, by_head
from dpcore.descriptors.dpa2.settings import RepformerSettings
from dpcore.nn import Dense
from dpcore.nn.activation import Activation
from dpcore.nn.layer_norm import LayerNorm
from dpcore.nn.linear import linear
from dpcore.nn.residual import Residual
from dpcore.tree import Module
from dpcore.xp import namespace


class PairUpdate(Module, name="dpa2_pair_update"):
    """The update of the features of pairs, and of the vectors of pairs.

    Attributes:
        alone: sees the features alone.
        product: sees the products of the features of both atoms.
        attention: attention among the neighbours.
        heads: what the features learn by it.
        norm: normalises that.
        turned: weights of the heads for the vectors, ``(head, 1)``.
        residual: adds the updates of features.
        vector_residual: adds those of vectors.
    """

    alone: Dense
    product: Dense | None = None
    attention: PairAttention | None = None
    heads: Heads | None = None
    norm: LayerNorm | None = None
    turned: Dense | None = None
    residual: Residual
    vector_residual: Residual | None = None

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        settings: RepformerSettings,
        norm: dict[str, Any],
        **told: Any,
    ) -> Self:
        """Draw an update.

        Args:
            rng: source of the random numbers.
            settings: what there is.
            norm: ``eps`` and ``trainable`` of the normalisation.
            told: ``precision`` and ``trainable``.
        """
        g1, g2, pair = settings.g1_dim, settings.g2_dim, settings.pair
        heads, style = pair.attn2_nhead, settings.style.told
        parts: dict[str, Any] = {"alone": linear(rng, g2, g2, **told)}
        if pair.update_g2_has_g1g1:
            parts["product"] = linear(rng, g1, g2, bias=False, **told)
        if pair.attends:
            both = linear(rng, g2, 2 * pair.attn2_hidden * heads, bias=False, **told)
            gate = pair.attn2_has_gate
            parts["attention"] = PairAttention(heads=heads, gate=gate, queries_keys=both)
        if pair.update_g2_has_attn:
            parts["heads"] = Heads(
                values=linear(rng, g2, g2 * heads, bias=False, **told),
                merged=linear(rng, g2 * heads, g2, **told),
            )
            parts["norm"] = LayerNorm.create(g2, precision=told["precision"], **norm)
        updates = 1 + pair.update_g2_has_g1g1 + pair.update_g2_has_attn
        parts["residual"] = Residual.create(rng, g2, updates, **style, **told)
        if pair.update_h2:
            parts["turned"] = linear(rng, heads, 1, bias=False, **told)
            parts["vector_residual"] = Residual.create(rng, 1, 1, **style, **told)
        return cls(**parts)

    def __call__(self, here: Here, around: Around, phi: Activation) -> tuple[Any, Any]:
        """Return the features, ``(centre, neighbour, width)``, and the vectors after the update.

        Args:
            here: features of atoms, neighbours and pairs.
            around: the neighbours.
            phi: the activation function.
        """
        updates, vectors = [phi(self.alone(here.pairs))], here.vectors
        if self.product is not None:
            products = around.neighbourhood.of_centres(here.atoms) * here.neighbours
            updates.append(self.product(products) * around.weight)
        if self.attention is not None:
            attention = self.attention(here.pairs, vectors, around)
            if self.heads is not None and self.norm is not None:
                updates.append(self.norm(self.heads(attention, here.pairs)))
            if self.turned is not None and self.vector_residual is not None:
                turned = by_head(attention, vectors) * self.turned.weight[None, :, :, None]
                update = namespace(turned).sum(turned, axis=1)
                vectors = self.vector_residual(vectors, [update])
        return self.residual(here.pairs, updates), vectors
