"""The update of the features of atoms in a repformer layer."""

from typing import Any, Self

import numpy as np

from dpcore.descriptors.dpa2.around import Around, Here
from dpcore.descriptors.dpa2.attention import AtomAttention
from dpcore.descriptors.dpa2.settings import RepformerSettings
from dpcore.nn import Dense
from dpcore.nn.activation import Activation
from dpcore.nn.linear import linear
from dpcore.nn.residual import Residual
from dpcore.nn.symmetrised import symmetrised
from dpcore.tree import Module
from dpcore.xp import namespace


class AtomUpdate(Module, name="dpa2_atom_update"):
    """The update of the features of atoms.

    Attributes:
        alone: sees the features alone, where these have a layer of their own.
        convolution: makes features of pairs and of neighbours of one width.
        merged: sees everything that has no update of its own.
        attention: attention to the neighbours.
        residual: adds the updates.
    """

    alone: Dense | None = None
    convolution: Dense | None = None
    merged: Dense
    attention: AtomAttention | None = None
    residual: Residual

    @classmethod
    def create(cls, rng: np.random.Generator, settings: RepformerSettings, **told: Any) -> Self:
        """Draw an update.

        Args:
            rng: source of the random numbers.
            settings: what there is.
            told: ``precision`` and ``trainable``.
        """
        g1, g2, atom = settings.g1_dim, settings.g2_dim, settings.atom
        outside = atom.update_g1_has_conv and atom.g1_out_conv
        parts: dict[str, Any] = {"merged": linear(rng, settings.merged_width, g1, **told)}
        if atom.g1_out_mlp:
            parts["alone"] = linear(rng, g1, g1, **told)
        if atom.update_g1_has_conv:
            sizes = (g2, g1) if outside else (g1, g2)
            parts["convolution"] = linear(rng, *sizes, bias=False, **told)
        if atom.update_g1_has_attn:
            keys = (atom.attn1_hidden, atom.attn1_nhead)
            parts["attention"] = AtomAttention.create(rng, g1, *keys, **told)
        updates = 1 + atom.g1_out_mlp + outside + atom.update_g1_has_attn
        return cls(
            residual=Residual.create(rng, g1, updates, **settings.style.told, **told), **parts
        )

    def __call__(
        self, here: Here, around: Around, settings: RepformerSettings, phi: Activation
    ) -> Any:
        """Return the features after the update, ``(centre, width)``.

        Args:
            here: features of atoms, neighbours and pairs.
            around: the neighbours.
            settings: what there is.
            phi: the activation function.
        """
        updates, parts, axes = [], [], settings.axis_neuron
        outside = settings.atom.g1_out_conv
        if self.alone is None:
            parts.append(here.atoms)
        else:
            updates.append(phi(self.alone(here.atoms)))
        if self.convolution is not None:
            found = _convolved(self.convolution, here, around, outside=outside)
            (updates if outside else parts).append(found)
        if settings.atom.update_g1_has_grrg:
            parts.append(symmetrised(around.moments(here.vectors, here.pairs), axes))
        if settings.atom.update_g1_has_drrd:
            parts.append(symmetrised(around.moments(here.vectors, here.neighbours), axes))
        updates.append(phi(self.merged(namespace(here.atoms).concat(parts, axis=1))))
        if self.attention is not None:
            updates.append(self.attention(here.atoms, here.neighbours, around))
        return self.residual(here.atoms, updates)


def _convolved(layer: Dense, here: Here, around: Around, *, outside: bool) -> Any:
    """Return the mean over the neighbours of the products of features of atoms and pairs.

    Args:
        layer: makes them of one width.
        here: the features.
        around: the neighbours.
        outside: whether that is the width of atoms, so that pairs are what is projected.
    """
    if not outside:
        projected = around.neighbourhood.of_neighbours(layer(here.atoms))
        return around.summed(projected * here.pairs)
    # The projection is as well done after the sum.
    xp = namespace(here.pairs)
    products = around.neighbourhood.moments(here.pairs * around.weight, here.neighbours)
    return xp.sum(products * layer.weight, axis=1) * around.per_neighbour
