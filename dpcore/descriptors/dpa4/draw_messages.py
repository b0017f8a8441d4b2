"""Drawing what exchanges the messages of DPA-4."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dpcore.descriptors.dpa4.attention import Attention
from dpcore.descriptors.dpa4.cartesian import (
    CartesianLayer,
    CartesianMessage,
    CartesianProduct,
    matrices,
)
from dpcore.descriptors.dpa4.convolution import Convolution
from dpcore.descriptors.dpa4.feed import operation
from dpcore.descriptors.dpa4.focus_weights import FocusWeights
from dpcore.descriptors.dpa4.messages import EdgeLayer, FrameMessage, RadialMessage
from dpcore.descriptors.dpa4.settings import (
    DegreeSettings,
    EdgeSettings,
    FeedSettings,
    MessageSettings,
    NetworkSettings,
    error,
    spread,
)
from dpcore.nn.linear import linear
from dpcore.nn.precision import numpy_dtype
from dpcore.nn.so3.depth import DepthMix
from dpcore.nn.so3.focus import FocusLinear
from dpcore.nn.so3.gates import Gated
from dpcore.nn.so3.grid_net import GridNet
from dpcore.nn.so3.grids import Grid
from dpcore.nn.so3.linear import DegreeLinear, EdgeLinear
from dpcore.nn.so3.mixer import DegreeMixer
from dpcore.nn.so3.norms import RMSNorm, RowsNorm
from dpcore.nn.so3.rows import Rows

# Factors of layers at first, where these are scaled.
SCALE = 1e-3


@dataclass(frozen=True)
class MessageDrawing:
    """Draws the parts of a descriptor that exchange messages, from its settings.

    Attributes:
        rng: source of the random numbers.
        edges: settings, as the following.
        degrees: settings.
        messages: settings.
        feeds: settings.
        networks: settings.
    """

    rng: np.random.Generator
    edges: EdgeSettings
    degrees: DegreeSettings
    messages: MessageSettings
    feeds: FeedSettings
    networks: NetworkSettings

    @property
    def told(self) -> dict[str, Any]:
        """What networks are told."""
        return {"precision": self.networks.precision, "bias": self.networks.mlp_bias}

    @property
    def plain(self) -> dict[str, Any]:
        """What maps without bias are told."""
        return {"precision": self.networks.precision, "bias": False}

    @property
    def focus_dim(self) -> int:
        """Number of channels of a focus."""
        return self.messages.focus_dim or self.degrees.channels

    @property
    def hidden(self) -> int:
        """Number of channels of all foci."""
        return self.messages.n_focus * self.focus_dim

    def mix(self, mode: str, channels: int = 0) -> DepthMix:
        """Draw a mean over depth, by default of the features of atoms."""
        eps = self.networks.eps
        return DepthMix.create(
            self.rng, channels or self.degrees.channels, mode, eps=eps, **self.told
        )

    def convolution(self, lmax: int, mmax: int) -> Convolution:
        """Draw one exchange of messages, of features up to a degree and an order."""
        told, hidden, channels = self.messages, self.hidden, self.degrees.channels
        rows, layers = Rows.by_degree(lmax), told.cartesian_layers
        heads = told.n_atten_head > 0
        cartesian = None
        if layers[0] and lmax in {1, 2}:
            cartesian = CartesianProduct(
                lmax=lmax,
                foci=told.n_focus,
                symmetric=layers[1],
                layers=self._cartesian_layers(lmax, layers[0]),
                basis=matrices(lmax).reshape(-1, 9),
            )
        radial = None
        if hidden != channels:
            radial = linear(self.rng, channels, hidden, trainable=True, **self.plain)
        mixes = told.atten_f_mix and heads
        return Convolution(
            lmax=lmax,
            foci=told.n_focus,
            enter=DegreeLinear.create(self.rng, lmax, (1, channels, hidden), **self.told),
            radial=radial,
            message=self._message(lmax, mmax),
            mix=DegreeLinear.create(self.rng, lmax, (1, hidden, hidden), **self.plain)
            if mixes
            else None,
            attention=self._attention(lmax) if heads else None,
            product=self._product(rows, "message_node", 1),
            cartesian=cartesian,
            leave=DegreeLinear.create(
                self.rng, lmax, (1, hidden, channels), zero=True, **self.told
            ),
        )

    def _product(self, rows: Rows, name: str, place: int) -> GridNet | None:
        """Draw the product with the features of the centre; ``place`` is that among the grid settings."""
        sphere, turned = (getattr(self.messages, f"{name}_{kind}") for kind in ("s2", "so3"))
        if not sphere and not turned:
            return None
        mlp, branches = (spread(x, 3)[place] for x in (self.feeds.grid_mlp, self.feeds.grid_branch))
        kind, number = operation(mlp, branches)
        grid = (
            Grid.rotations(rows, min(self.degrees.kmax, rows.lmax))
            if turned
            else Grid.sphere(rows, exact=self.feeds.exact[0], square=place == 1)
        )
        sizes = (self.messages.n_focus, self.focus_dim)
        return GridNet.create(
            self.rng, grid, rows, sizes, operation=kind, branches=number, cross=True, **self.told
        )

    def _weights(self) -> FocusWeights | None:
        sizes = (self.messages.n_focus, self.focus_dim)
        if sizes[0] == 1:
            return None
        return FocusWeights.create(
            self.rng, sizes, norm=self.edges.edge_norm, eps=self.networks.eps, **self.told
        )

    def _message(self, lmax: int, mmax: int) -> FrameMessage | RadialMessage | CartesianMessage:
        told, foci = self.messages, self.messages.n_focus
        if told.edge_cartesian and lmax in {1, 2}:
            return CartesianMessage(
                lmax=lmax,
                foci=foci,
                layers=self._cartesian_layers(lmax, told.mixing_layers),
                weights=self._weights(),
                products=CartesianMessage.table(lmax),
            )
        rows, mode = Rows.by_order(lmax, mmax), told.radial_so2_mode
        product = self._product(rows, "node_wise", 0)
        if not told.mixing_layers and mode == "none" and product is None:
            return RadialMessage(lmax=lmax, foci=foci, weights=self._weights())
        mixer = None
        if mode != "none":
            each: dict[str, Any] = {"mode": mode, "rank": told.radial_so2_rank}
            precision = self.networks.precision
            mixer = DegreeMixer.create(self.rng, rows, self.hidden, precision=precision, **each)
        number, depth = told.mixing_layers, told.so2_attn_res
        return FrameMessage(
            lmax=lmax,
            mmax=mmax,
            foci=foci,
            mixer=mixer,
            product=product,
            layers=tuple(self._edge_layer(rows, last=i == number - 1) for i in range(number)),
            mixes=()
            if depth == "none"
            else tuple(self.mix(depth, self.hidden) for _ in range(number)),
            weights=self._weights(),
        )

    def _edge_layer(self, rows: Rows, *, last: bool) -> EdgeLayer:
        foci, channels, precision = self.messages.n_focus, self.focus_dim, self.networks.precision
        on_grid = self.feeds.s2_activation[0] and not last
        activation: Gated | GridNet | None = None
        if on_grid:
            grid, sizes = Grid.sphere(rows, exact=self.feeds.exact[0]), (foci, channels)
            activation = GridNet.create(
                self.rng, grid, rows, sizes, operation="glu", branches=1, **self.told
            )
        elif not last:
            activation = self._gated(rows.lmax)
        norms = self.messages.so2_norm and not last
        scale = np.full((foci, channels), SCALE, numpy_dtype(precision))
        return EdgeLayer(
            norm=RowsNorm.create(rows.lmax, foci, channels, precision) if norms else None,
            linear=EdgeLinear.create(
                self.rng, rows, (foci, channels, channels * (2 if on_grid else 1)), **self.told
            ),
            activation=activation,
            scale=scale if self.feeds.layer_scale else None,
        )

    def _gated(self, lmax: int) -> Gated:
        name = "silu" if self.feeds.s2_activation[0] else self.networks.activation_function
        sizes = (lmax, self.messages.n_focus, self.focus_dim)
        return Gated.create(self.rng, *sizes, activation_function=name, **self.told)

    def _cartesian_layers(self, lmax: int, number: int) -> tuple[CartesianLayer, ...]:
        sizes = (self.messages.n_focus, self.focus_dim, self.focus_dim)
        return tuple(
            CartesianLayer(
                linear=DegreeLinear.create(self.rng, lmax, sizes, **self.told),
                activation=self._gated(lmax) if i < number - 1 else None,
            )
            for i in range(number)
        )

    def _attention(self, lmax: int) -> Attention:
        told, precision, eps = self.messages, self.networks.precision, self.networks.eps
        foci, wide = (1, self.hidden) if told.atten_f_mix else (told.n_focus, self.focus_dim)
        heads, square = told.n_atten_head, (foci, wide, wide)
        if wide % heads:
            raise error("n_atten_head", f"{heads} must divide the {wide} channels of attention")

        def each() -> FocusLinear:
            return FocusLinear.create(self.rng, square, **self.plain)

        def by_head() -> Any:
            drawn = self.rng.normal(0.0, 0.01, (wide, foci, heads))
            return drawn.astype(numpy_dtype(precision))

        def mapped(wanted: bool) -> DegreeLinear | None:
            return DegreeLinear.create(self.rng, lmax, square, **self.plain) if wanted else None

        def norm() -> RMSNorm:
            return RMSNorm.create((foci, wide), precision, eps)

        return Attention(
            lmax=lmax,
            heads=heads,
            eps=eps,
            norm=norm(),
            query=each(),
            key=each(),
            radial=by_head(),
            rest=np.full((foci, heads), 0.5413, numpy_dtype(precision)),
            gate_norm=norm(),
            gate=by_head(),
            value=mapped(told.atten_v_proj),
            out=mapped(told.atten_o_proj),
        )
