"""Settings and layers of attention among the neighbours of an atom."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dpcore.errors import DPError
from dpcore.nn.attention import AttentionLayer, gates_of
from dpcore.tree import Tree, setting
from dpcore.xp import shape

# What layer normalisation adds to the variance.
LN_EPS = 1e-5


class AttentionSettings(Tree):
    """What a descriptor is told of attention, to be inherited before the descriptor.

    Attributes:
        attention: the layers.
    """

    attn: int = setting(128, doc="length of queries, keys and values")
    attn_layer: int = setting(2, doc="number of attention layers")
    attn_dotr: bool = setting(True, doc="multiply attention by the cosine between the neighbours")
    attn_mask: bool = setting(False, doc="no neighbour attends to itself")
    scaling_factor: float = setting(
        1.0, doc="logits are divided by the root of this times attn, unless there is a temperature"
    )
    normalize: bool = setting(True, doc="scale queries, keys and values to unit length")
    temperature: float | None = setting(None, doc="what logits are multiplied by")
    trainable_ln: bool = setting(True, doc="whether the layer normalisation is trained")
    ln_eps: float | None = setting(
        None, doc="what layer normalisation adds to the variance; by default 1e-5"
    )
    attention: tuple[AttentionLayer, ...]

    @classmethod
    def draw_attention(
        cls, rng: np.random.Generator, width: int, settings: Mapping[str, Any], **told: Any
    ) -> tuple[AttentionLayer, ...]:
        """Draw the layers that some settings ask for.

        Args:
            rng: source of the random numbers.
            width: number of features of a neighbour.
            settings: the settings.
            told: ``precision`` and ``trainable``.
        """
        eps, norm = settings.get("ln_eps"), settings.get("trainable_ln", cls.trainable_ln)
        told |= {"eps": LN_EPS if eps is None else eps, "trainable_norm": norm}
        hidden, count = (settings.get(k, getattr(cls, k)) for k in ("attn", "attn_layer"))
        return tuple(AttentionLayer.create(width, hidden, rng, **told) for _ in range(count))

    @property
    def eps(self) -> float:
        """What layer normalisation adds to the variance."""
        return LN_EPS if self.ln_eps is None else self.ln_eps

    @property
    def scaling(self) -> float:
        """What the products of queries and keys are multiplied by."""
        if self.temperature is not None:
            return self.temperature
        return float((self.attn * self.scaling_factor) ** -0.5)

    def attended(self, features: Any, weight: Any, units: Any, **places: Any) -> Any:
        """Return the features of neighbours after all layers, ``(centre, neighbour, width)``.

        Args:
            features: their features.
            weight: their weights, ``(centre, neighbour, 1)``.
            units: unit vectors to them, ``(centre, neighbour, 3)``.
            places: ``smooth`` and ``places`` of :func:`gates_of`.
        """
        if not self.attention:
            return features
        gates = gates_of(
            weight,
            units if self.attn_dotr else None,
            diagonal=not self.attn_mask,
            scaling=self.scaling,
            normalize=self.normalize,
            **places,
        )
        for layer in self.attention:
            features = layer(features, gates)
        return features

    def check_attention(self, width: int) -> None:
        """Raise a one-line error for settings that have no meaning, or layers that do not fit them."""
        if self.attn < 1:
            raise DPError(f"descriptor.attn: {self.attn} must be positive")
        if self.attn_layer < 0:
            raise DPError(f"descriptor.attn_layer: {self.attn_layer} must not be negative")
        for key, value in (("scaling_factor", self.scaling_factor), ("ln_eps", self.eps)):
            if value <= 0.0:
                raise DPError(f"descriptor.{key}: {value} must be positive")
        if len(self.attention) != self.attn_layer:
            raise DPError(
                f"descriptor.attention: {len(self.attention)} layers for attn_layer = {self.attn_layer}"
            )
        needed = (self.attn, width, self.eps)
        for i, layer in enumerate(self.attention):
            found = (*shape(layer.out_proj.weight), layer.norm.eps)
            if found != needed:
                raise DPError(
                    f"descriptor.attention.{i}: attn, width and ln_eps are {found}; these settings need "
                    f"{needed}"
                )
