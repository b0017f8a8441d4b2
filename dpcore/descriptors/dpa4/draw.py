"""Drawing the blocks of DPA-4."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dpcore.descriptors.dpa4.block import Block, Blocks, FeedUnit, MessageUnit
from dpcore.descriptors.dpa4.draw_messages import SCALE, MessageDrawing
from dpcore.descriptors.dpa4.feed import FeedForward, FeedPlan
from dpcore.descriptors.dpa4.settings import spread
from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.norms import RowsNorm


@dataclass(frozen=True)
class Drawing(MessageDrawing):
    """Draws the parts of a descriptor from its settings."""

    def blocks(self) -> Blocks:
        """Draw the blocks."""
        both = zip(self.degrees.degrees, self.degrees.orders, strict=True)
        drawn = tuple(self._block(lmax, mmax) for lmax, mmax in both)
        count = sum(1 + len(block.feeds) for block in drawn) + 1
        mode = self.feeds.depth
        return Blocks(
            lmax=drawn[-1].lmax,
            full=self.feeds.full_attn_res != "none",
            blocks=drawn,
            mixes=() if mode == "none" else tuple(self.mix(mode) for _ in range(count)),
        )

    def readout(self, lmax: int) -> tuple[FeedForward, ...]:
        """Draw the networks after the blocks.

        Args:
            lmax: the highest degree of the features.
        """
        kind = self.feeds.so3_readout
        grid = None if kind == "none" else "rotations"
        top = lmax if grid else 0
        plan = FeedPlan(
            gated=self.feeds.glu_activation,
            grid=grid,
            frames=min(self.degrees.kmax, lmax),
            mlp=kind == "mlp",
            branches=0,
            **self._plan(),
        )
        # The width is chosen as that of a network without grid.
        wide = replace(plan, grid=None).width(self.degrees.channels, self.feeds.ffn_neurons)
        return tuple(
            FeedForward.create(self.rng, top, self.degrees.channels, wide, plan)
            for _ in range(self.feeds.readout_layers)
        )

    def _plan(self) -> dict[str, Any]:
        return {
            "activation_function": self.networks.activation_function,
            "exact": self.feeds.exact[1],
            **self.told,
        }

    def _norm(self, wanted: bool, lmax: int, eps: float = 1e-5) -> RowsNorm | None:
        channels, precision = self.degrees.channels, self.networks.precision
        return RowsNorm.create(lmax, None, channels, precision, eps) if wanted else None

    def _block(self, lmax: int, mmax: int) -> Block:
        before, after, feed_before, feed_after = self.feeds.sandwich_norm
        node = lmax + self.degrees.extra_node_l
        messages = MessageUnit(
            before=self._norm(before, lmax),
            convolution=self.convolution(lmax, mmax),
            after=self._norm(after, lmax, 1e-5 if self.edges.edge_norm else 1.0),
        )
        turned = self.feeds.ffn_so3_grid
        grid = "rotations" if turned else "sphere" if self.feeds.s2_activation[1] else None
        plan = FeedPlan(
            **self._plan(),
            gated=self.feeds.glu_activation,
            grid=grid,
            frames=min(self.degrees.kmax, lmax),
            mlp=spread(self.feeds.grid_mlp, 3)[2],
            branches=spread(self.feeds.grid_branch, 3)[2],
        )
        channels, dtype = self.degrees.channels, numpy_dtype(self.networks.precision)
        feeds = tuple(
            FeedUnit(
                before=self._norm(feed_before, node),
                network=FeedForward.create(self.rng, node, channels, self.feeds.ffn_neurons, plan),
                after=self._norm(feed_after, node),
                scale=np.full(channels, SCALE, dtype) if self.feeds.layer_scale else None,
            )
            for _ in range(self.feeds.ffn_blocks)
        )
        return Block(lmax=node, messages=messages, feeds=feeds)
