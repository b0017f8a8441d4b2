"""What the repflow of DPA-3 is told."""

from typing import Any

from dpcore.errors import DPError
from dpcore.nn.residual import STARTS, STYLES
from dpcore.tree import Module, Settings, setting


class RepflowNeighbours(Settings, name="repflow_neighbours"):
    """Which neighbours edges and angles are made of."""

    e_rcut: float = setting(doc="cutoff of edges, Å")
    e_rcut_smth: float = setting(doc="where the switch function of edges begins to fall, Å")
    e_sel: int = setting(doc="largest number of edges of an atom")
    a_rcut: float = setting(doc="cutoff of the edges that angles are made of, Å")
    a_rcut_smth: float = setting(doc="where the switch function of angles begins to fall, Å")
    a_sel: int = setting(doc="largest number of edges of an atom that angles are made of")
    use_exp_switch: bool = setting(
        False,
        doc="let switch functions fall as exp(-exp(20 (r - rcut_smth) / rcut_smth))",
        aliases=("use_env_envelope",),
    )
    use_dynamic_sel: bool = setting(
        False, doc="keep edges in a list, without padding; needs smooth_edge_update"
    )
    sel_reduce_factor: float = setting(
        10.0, doc="with use_dynamic_sel, sums are divided by e_sel and a_sel over this"
    )

    def __post_init__(self) -> None:
        for key in ("e", "a"):
            smooth, cut = getattr(self, f"{key}_rcut_smth"), getattr(self, f"{key}_rcut")
            if not (smooth > 0 if self.use_exp_switch else smooth >= 0) or smooth >= cut:
                raise _error(
                    f"{key}_rcut_smth", f"{smooth} must lie between 0 and {key}_rcut = {cut}"
                )
        if self.a_rcut > self.e_rcut:
            raise _error("a_rcut", f"{self.a_rcut} must not be larger than e_rcut = {self.e_rcut}")
        if not 1 <= self.a_sel <= self.e_sel:
            raise _error("a_sel", f"{self.a_sel} must lie between 1 and e_sel = {self.e_sel}")
        if self.sel_reduce_factor <= 0:
            raise _error("sel_reduce_factor", f"{self.sel_reduce_factor} must be positive")

    @property
    def edges(self) -> float:
        """What sums over the edges of an atom are divided by."""
        return self.e_sel / self.sel_reduce_factor if self.use_dynamic_sel else self.e_sel

    @property
    def angles(self) -> float:
        """What sums over the angles of an edge are divided by the root of."""
        return self.a_sel / self.sel_reduce_factor if self.use_dynamic_sel else self.a_sel


class RepflowSizes(Settings, name="repflow_sizes"):
    """How many features there are."""

    n_dim: int = setting(128, doc="number of features of an atom")
    e_dim: int = setting(64, doc="number of features of an edge")
    a_dim: int = setting(64, doc="number of features of an angle")
    nlayers: int = setting(6, doc="number of layers")
    n_multi_edge_message: int = setting(1, doc="number of messages of an edge to its atom")
    axis_neuron: int = setting(
        4, doc="number of features that moments are multiplied by to be symmetrised"
    )

    def __post_init__(self) -> None:
        keys = ("n_dim", "e_dim", "a_dim", "nlayers", "n_multi_edge_message", "axis_neuron")
        _check_positive(self, *keys)
        least = min(self.n_dim, self.e_dim)
        if self.axis_neuron > least:
            raise _error(
                "axis_neuron", f"{self.axis_neuron} must not be larger than n_dim or e_dim, {least}"
            )


class RepflowCompression(Settings, name="repflow_compression"):
    """How the features of atoms and edges are shortened before angles see them."""

    a_compress_rate: int = setting(
        0,
        doc="angles see a_dim over this many features of the atom and half as many of an edge; 0: all",
    )
    a_compress_e_rate: int = setting(1, doc="factor on the number of features of an edge")
    a_compress_use_split: bool = setting(
        False, doc="take the first of the features, not what a layer makes of all of them"
    )

    def __post_init__(self) -> None:
        if self.a_compress_rate < 0:
            raise _error("a_compress_rate", f"{self.a_compress_rate} must not be negative")
        _check_positive(self, "a_compress_e_rate")

    @property
    def has_layers(self) -> bool:
        """Whether there are layers that shorten."""
        return self.a_compress_rate > 0 and not self.a_compress_use_split

    def widths(self, sizes: RepflowSizes) -> tuple[int, int]:
        """Return how many features of the atom and of an edge angles see."""
        if not self.a_compress_rate:
            return sizes.n_dim, sizes.e_dim
        rate, a_dim = self.a_compress_rate, sizes.a_dim
        return a_dim // rate, a_dim // (2 * rate) * self.a_compress_e_rate

    def check(self, sizes: RepflowSizes) -> None:
        """Raise a one-line error where features cannot be shortened to such widths."""
        node, edge = self.widths(sizes)
        if self.a_compress_rate and (node % 2 or edge < 1 or sizes.a_dim % self.a_compress_rate):
            raise _error(
                "a_compress_rate",
                f"2 · {self.a_compress_rate} must be a divisor of a_dim = {sizes.a_dim}",
            )
        if self.a_compress_use_split and (node > sizes.n_dim or edge > sizes.e_dim):
            raise _error(
                "a_compress_use_split",
                f"angles see {node} features of an atom and {edge} of an edge, of which there are "
                f"{sizes.n_dim} and {sizes.e_dim}",
            )


class RepflowUpdates(Settings, name="repflow_updates"):
    """How features are updated."""

    update_angle: bool = setting(True, doc="whether there are angles")
    update_style: str = setting(
        "res_residual",
        doc="u and its n updates give (u + Σ u_k) / √(n + 1) (res_avg), u + Σ u_k / √n (res_incr), or "
        "u + Σ w_k u_k with trained weights w (res_residual)",
    )
    update_residual: float = setting(0.1, doc="size of these weights when they are drawn")
    update_residual_init: str = setting(
        "const", doc="draw them from a normal distribution (norm), or all the same (const)"
    )
    optim_update: bool = setting(
        True, doc="without effect: layers are always evaluated in the form of few operations"
    )
    smooth_edge_update: bool = setting(
        False,
        doc="let edges without angles have angular messages of zero, not of their own features",
    )
    sequential_update: bool = setting(
        False, doc="let every update see the ones before it: edges, angles, edges by angles, atoms"
    )

    def __post_init__(self) -> None:
        for key, known in (("update_style", STYLES), ("update_residual_init", STARTS)):
            if getattr(self, key) not in known:
                allowed = ", ".join(known)
                raise _error(key, f"{getattr(self, key)!r} is unknown; allowed: {allowed}")
        if self.sequential_update and self.update_style != "res_residual":
            raise _error("sequential_update", "needs update_style res_residual")
        if self.sequential_update and not self.update_angle:
            raise _error("sequential_update", "needs update_angle")


class RepflowSettings(Settings, name="repflow"):
    """What the repflow is told; all keys are in one section of the input file."""

    neighbours: RepflowNeighbours
    sizes: RepflowSizes
    compression: RepflowCompression
    updates: RepflowUpdates
    edge_init_use_dist: bool = setting(
        False,
        doc="make the features of edges of their lengths, not of their inverse",
        aliases=("edge_use_dist",),
    )
    fix_stat_std: float = setting(
        0.3, doc="the deviation of the environment rows; 0 to take that of training data"
    )
    skip_stat: bool = setting(False, doc="deprecated: true for a fix_stat_std of 0.3")

    def __post_init__(self) -> None:
        if self.fix_stat_std < 0:
            raise _error("fix_stat_std", f"{self.fix_stat_std} must not be negative")
        if self.neighbours.use_dynamic_sel and not self.updates.smooth_edge_update:
            raise _error("use_dynamic_sel", "needs smooth_edge_update: true")
        self.compression.check(self.sizes)

    @property
    def deviation(self) -> float:
        """The deviation of the environment rows of a new model."""
        return 0.3 if self.skip_stat else self.fix_stat_std or 1.0

    @property
    def seen_by_angles(self) -> int:
        """How many numbers the layers of an angle are given."""
        node, edge = self.compression.widths(self.sizes)
        return self.sizes.a_dim + node + 2 * edge


def _check_positive(settings: Module, *keys: str) -> None:
    for key in keys:
        if getattr(settings, key) < 1:
            raise _error(key, f"{getattr(settings, key)} must be positive")


def _error(key: str, what: Any) -> DPError:
    return DPError(f"descriptor.repflow.{key}: {what}")
