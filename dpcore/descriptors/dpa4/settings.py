"""What DPA-4 is told."""

from itertools import pairwise
from typing import Any

from dpcore.descriptors.dpa4.frozen_zone import FrozenZone
from dpcore.errors import DPError
from dpcore.nn import activation
from dpcore.nn.precision import precision_name
from dpcore.tree import Settings, setting

Flags = bool | tuple[bool, ...]
Numbers = int | tuple[int, ...]


class EdgeSettings(Settings, name="dpa4_edge_settings"):
    """Which neighbours there are, and functions of their distance."""

    rcut: float = setting(6.0, doc="cutoff, Å")
    sel: Numbers = setting(256, doc="without effect: all neighbours within the cutoff count")
    env_exp: tuple[int, ...] = setting(
        (7, 5), doc="number of terms of the envelopes of the radial functions and of the edges"
    )
    basis_type: str = setting("bessel", doc="functions of the distance: bessel or gaussian")
    n_radial: int = setting(16, doc="number of functions of the distance")
    radial_mlp: tuple[int, ...] = setting(
        (0,), doc="widths of the layers on them; 0 for the number of channels"
    )
    edge_norm: bool = setting(True, doc="normalise inside the networks of edges")
    use_env_seed: bool = setting(True, doc="let the first features depend on the surroundings")
    random_gamma: bool = setting(
        True, doc="without effect: the result does not depend on turns about the edges"
    )
    exclude_types: tuple[tuple[int, int], ...] = setting((), doc="type pairs that do not interact")
    inner_clamp_r_inner: float | None = setting(
        None,
        doc="distance below which neighbours do not change the features, Å; told by bridging_r_inner",
    )
    inner_clamp_r_outer: float | None = setting(
        None, doc="distance from which on they count as they are, Å; told by bridging_r_outer"
    )

    def __post_init__(self) -> None:
        check_mode("basis_type", self.basis_type, ("bessel", "gaussian"))
        if self.rcut <= 0:
            raise error("rcut", f"{self.rcut} must be positive")
        if len(self.env_exp) != 2 or min(self.env_exp) < 1:
            raise error("env_exp", f"{list(self.env_exp)} must be two positive numbers")
        if self.n_radial < 1:
            raise error("n_radial", f"{self.n_radial} must be 1 or more")
        if min(self.radial_mlp, default=0) < 0:
            raise error("radial_mlp", f"{list(self.radial_mlp)} must hold numbers of 0 or more")
        inner, outer = self.inner_clamp_r_inner, self.inner_clamp_r_outer
        if (inner is None) != (outer is None):
            raise error("inner_clamp_r_inner", "needs inner_clamp_r_outer, and that needs it")
        if inner is not None and outer is not None and not 0 < inner < outer <= self.rcut:
            raise error(
                "inner_clamp_r_inner",
                f"{inner} must be above 0 and below inner_clamp_r_outer = {outer}, and that within rcut = {self.rcut}",
            )

    @property
    def zone(self) -> FrozenZone | None:
        """Where distances are frozen, or None."""
        if self.inner_clamp_r_inner is None or self.inner_clamp_r_outer is None:
            return None
        return FrozenZone(self.inner_clamp_r_inner, self.inner_clamp_r_outer)

    @property
    def excluded(self) -> frozenset[tuple[int, int]]:
        """The pairs that do not interact, in both orders."""
        return frozenset((a, b) for pair in self.exclude_types for a, b in (pair, pair[::-1]))


class DegreeSettings(Settings, name="dpa4_degree_settings"):
    """How many features there are, and of which degrees."""

    channels: int = setting(64, doc="number of channels")
    lmax: int = setting(3, doc="the highest degree")
    l_schedule: tuple[int, ...] | None = setting(
        None,
        doc="the highest degree of each block, never rising; lmax and n_blocks do not count then",
    )
    mmax: int | None = setting(1, doc="the highest order in the frame of an edge; None for lmax")
    m_schedule: tuple[int, ...] | None = setting(None, doc="the highest order of each block")
    kmax: int = setting(1, doc="the highest order of functions on rotations")
    extra_node_l: int = setting(
        0, doc="degrees of the features of atoms beyond those that messages have"
    )
    n_blocks: int = setting(3, doc="number of blocks")

    def __post_init__(self) -> None:
        schedule = self.degrees
        if not schedule or min(schedule) < 0:
            raise error("l_schedule", f"{list(schedule)} must hold degrees of 0 or more")
        if any(a < b for a, b in pairwise(schedule)):
            raise error("l_schedule", f"{list(schedule)} must not rise")
        if len(self.orders) != len(schedule):
            raise error("m_schedule", f"{len(self.orders)} orders for {len(schedule)} blocks")
        if any(not 0 <= m <= n for m, n in zip(self.orders, schedule, strict=True)):
            raise error(
                "m_schedule", f"{list(self.orders)} must lie between 0 and {list(schedule)}"
            )
        if not 0 <= self.kmax <= schedule[0]:
            raise error(
                "kmax", f"{self.kmax} must lie between 0 and the highest degree {schedule[0]}"
            )
        for key, least in (("channels", 1), ("extra_node_l", 0)):
            if getattr(self, key) < least:
                raise error(key, f"{getattr(self, key)} must be {least} or more")

    @property
    def degrees(self) -> tuple[int, ...]:
        """The highest degree of each block."""
        return (self.lmax,) * self.n_blocks if self.l_schedule is None else self.l_schedule

    @property
    def orders(self) -> tuple[int, ...]:
        """The highest order of each block."""
        if self.m_schedule is not None:
            return self.m_schedule
        return tuple(n if self.mmax is None else min(self.mmax, n) for n in self.degrees)


class MessageSettings(Settings, name="dpa4_message_settings"):
    """How messages are made."""

    mixing_layers: int = setting(
        4, doc="number of layers in the frame of an edge", aliases=("so2_layers",)
    )
    so2_norm: bool = setting(False, doc="normalise before all of them but the last")
    so2_attn_res: str = setting(
        "none", doc="give them means of the layers before: none, independent or dependent"
    )
    radial_so2_mode: str = setting(
        "degree_channel", doc="mix degrees by the distance: none, degree or degree_channel"
    )
    radial_so2_rank: int = setting(1, doc="rank of the channels' matrices, 0 for full ones")
    edge_cartesian: bool = setting(False, doc="multiply matrices instead, where lmax is 1 or 2")
    node_cartesian: str | int = setting(
        "none",
        doc="multiply sums with the features of the centre as matrices, where lmax is 1 or 2: the number "
        "of layers, or default:number, or parity:number",
    )
    n_focus: int = setting(1, doc="number of groups of channels with networks of their own")
    focus_dim: int = setting(0, doc="number of channels of a group; 0 for that of the features")
    n_atten_head: int = setting(1, doc="number of heads of attention, 0 for plain sums")
    atten_f_mix: bool = setting(False, doc="mix the groups before attention")
    atten_v_proj: bool = setting(False, doc="map the messages before they are added up")
    atten_o_proj: bool = setting(False, doc="map their sums")
    node_wise_s2: bool = setting(
        False, doc="multiply a message with the features of the centre as functions on the sphere"
    )
    node_wise_so3: bool = setting(False, doc="multiply them as functions on rotations")
    message_node_s2: bool = setting(
        False, doc="multiply sums with the features of the centre as functions on the sphere"
    )
    message_node_so3: bool = setting(False, doc="multiply them as functions on rotations")

    def __post_init__(self) -> None:
        check_mode("so2_attn_res", self.so2_attn_res, ("none", "independent", "dependent"))
        check_mode("radial_so2_mode", self.radial_so2_mode, ("none", "degree", "degree_channel"))
        least = {"mixing_layers": 0, "radial_so2_rank": 0, "n_focus": 1, "focus_dim": 0}
        for key, n in (least | {"n_atten_head": 0}).items():
            if getattr(self, key) < n:
                raise error(key, f"{getattr(self, key)} must be {n} or more")
        products = self.node_wise_s2 or self.node_wise_so3
        products = products or self.message_node_s2 or self.message_node_so3
        if self.edge_cartesian and products:
            raise error("edge_cartesian", "cannot be combined with node_wise_* or message_node_*")
        self.cartesian_layers  # noqa: B018

    @property
    def cartesian_layers(self) -> tuple[int, bool]:
        """Number of layers of ``node_cartesian``, and whether the products are symmetric."""
        mode, _, number = str(self.node_cartesian).strip().lower().rpartition(":")
        if not mode and not number.isdigit():
            mode, number = number, "0" if number in {"", "none"} else "1"
        if mode not in {"", "none", "default", "parity"} or not number.isdigit():
            raise error("node_cartesian", f"{self.node_cartesian!r} is not understood")
        return int(number), mode == "parity"


class FeedSettings(Settings, name="dpa4_feed_settings"):
    """The networks of each atom, and all grids."""

    ffn_neurons: int = setting(0, doc="width of the networks of each atom, 0 to choose")
    ffn_blocks: int = setting(1, doc="number of these networks in a block")
    ffn_so3_grid: bool = setting(False, doc="let them multiply functions on rotations")
    s2_activation: tuple[bool, ...] = setting(
        (False, True),
        doc="multiply functions on the sphere in the frames of edges, and of each atom",
    )
    grid_mlp: Flags = setting(
        False, doc="map channels around products: of node_wise_*, message_node_* and of each atom"
    )
    grid_branch: Numbers = setting(0, doc="number of products to choose from, likewise")
    lebedev_quadrature: Flags | None = setting(
        True, doc="take Lebedev's grids on the sphere, for messages and of each atom"
    )
    glu_activation: bool = setting(True, doc="multiply half of the channels by the other half")
    sandwich_norm: tuple[bool, ...] = setting(
        (False, True, True, False),
        doc="normalise before and after messages, before and after networks",
    )
    layer_scale: bool = setting(False, doc="scale the results of layers by trained factors")
    full_attn_res: str = setting(
        "none", doc="give units means of all before them: none, independent or dependent"
    )
    block_attn_res: str = setting(
        "none", doc="give units means of the blocks before them, likewise"
    )
    so3_readout: str = setting("none", doc="let the last network see all degrees: none, glu or mlp")
    readout_layers: int = setting(1, doc="number of networks after the blocks")

    def __post_init__(self) -> None:
        for key in ("full_attn_res", "block_attn_res"):
            check_mode(key, getattr(self, key), ("none", "independent", "dependent"))
        check_mode("so3_readout", self.so3_readout, ("none", "glu", "mlp"))
        if self.full_attn_res != "none" and self.block_attn_res != "none":
            raise error("full_attn_res", "cannot be combined with block_attn_res")
        for key, n in (("ffn_neurons", 0), ("ffn_blocks", 1), ("readout_layers", 1)):
            if getattr(self, key) < n:
                raise error(key, f"{getattr(self, key)} must be {n} or more")
        lengths = {"s2_activation": 2, "sandwich_norm": 4, "grid_mlp": 3, "grid_branch": 3}
        for key, n in (lengths | {"lebedev_quadrature": 2}).items():
            value = getattr(self, key)
            if isinstance(value, tuple) and len(value) != n:
                raise error(key, f"{list(value)} must have {n} items")
        if min(spread(self.grid_branch, 3)) < 0:
            raise error("grid_branch", f"{self.grid_branch} must be 0 or more")

    @property
    def exact(self) -> tuple[bool, bool]:
        """Whether the grids of messages and of atoms are Lebedev's."""
        value = True if self.lebedev_quadrature is None else self.lebedev_quadrature
        first, second = spread(value, 2)
        return first, second

    @property
    def depth(self) -> str:
        """How means over depth are made."""
        return self.block_attn_res if self.full_attn_res == "none" else self.full_attn_res


class NetworkSettings(Settings, name="dpa4_network_settings"):
    """What all networks are told."""

    activation_function: str = setting("silu", doc="activation of the networks")
    mlp_bias: bool = setting(False, doc="give linear maps a bias")
    precision: str = setting("float32", doc="precision of the parameters")
    eps: float = setting(1e-7, doc="added to distances in quadrature, and to mean squares")
    use_amp: bool = setting(True, doc="without effect: what DeePMD-kit trains with")

    def __post_init__(self) -> None:
        activation(self.activation_function)
        if precision_name(self.precision) not in {"float32", "float64"}:
            raise error(
                "precision",
                f"{self.precision!r} is not supported; float32 and float64 are: half precision is too coarse "
                "for rotations, and memory is saved in training by use_amp",
            )


def spread(value: Any, n: int) -> tuple[Any, ...]:
    """Return a list of n values, which may be given as one."""
    return value if isinstance(value, tuple) else (value,) * n


def check_mode(key: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise a one-line error for an unknown value."""
    if value not in allowed:
        raise error(key, f"{value!r} is unknown; allowed: {', '.join(allowed)}")


def error(key: str, text: str) -> DPError:
    """Return a one-line error of a key."""
    return DPError(f"descriptor.{key}: {text}")
