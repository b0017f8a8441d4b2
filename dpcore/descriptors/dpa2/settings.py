"""What the layers of a repformer are told."""

from typing import Any

from dpcore.errors import DPError
from dpcore.nn.activation import activation
from dpcore.nn.residual import STARTS, STYLES
from dpcore.tree import Module, Settings, setting

# What layer normalisation adds to the variance.
LN_EPS = 1e-5
# How many numbers a row of an embedding network and its derivatives are.
_ROW = 400


class AtomSettings(Settings, name="dpa2_atom_settings"):
    """How the features g1 of atoms are updated."""

    update_g1_has_conv: bool = setting(True, doc="by what the neighbours are, weighted by their g2")
    update_g1_has_drrd: bool = setting(True, doc="by the symmetrised moments of the neighbours' g1")
    update_g1_has_grrg: bool = setting(True, doc="by the symmetrised moments of the pairs' g2")
    update_g1_has_attn: bool = setting(True, doc="by attention to the neighbours")
    attn1_hidden: int = setting(64, doc="length of queries and keys of attention to the neighbours")
    attn1_nhead: int = setting(4, doc="number of heads of attention to the neighbours")
    g1_out_conv: bool = setting(
        True, doc="add the sum over the neighbours to g1 itself, not to what a layer is given"
    )
    g1_out_mlp: bool = setting(True, doc="let a layer of its own see g1 alone")

    def __post_init__(self) -> None:
        _check_positive(self, "attn1_hidden", "attn1_nhead")


class PairSettings(Settings, name="dpa2_pair_settings"):
    """How the features g2 and the vectors h2 of pairs are updated, by all layers but the last."""

    update_g2_has_g1g1: bool = setting(True, doc="update g2 by products of the g1 of both atoms")
    update_g2_has_attn: bool = setting(True, doc="update g2 by attention among the neighbours")
    update_h2: bool = setting(False, doc="update the vectors by attention among the neighbours")
    attn2_hidden: int = setting(16, doc="length of queries and keys among the neighbours")
    attn2_nhead: int = setting(4, doc="number of heads of attention among the neighbours")
    attn2_has_gate: bool = setting(
        False, doc="multiply the logits of attention by the products of vectors"
    )

    def __post_init__(self) -> None:
        _check_positive(self, "attn2_hidden", "attn2_nhead")

    @property
    def attends(self) -> bool:
        """Whether there is attention among the neighbours."""
        return self.update_g2_has_attn or self.update_h2


class StyleSettings(Settings, name="dpa2_style_settings"):
    """How updates are added."""

    update_style: str = setting(
        "res_avg",
        doc="u and its n updates give (u + Σ u_k) / √(n + 1) (res_avg), u + Σ u_k / √n (res_incr), or "
        "u + Σ w_k u_k with trained weights w (res_residual)",
    )
    update_residual: float = setting(0.001, doc="size of these weights when they are drawn")
    update_residual_init: str = setting(
        "norm", doc="draw them from a normal distribution (norm), or all the same (const)"
    )

    def __post_init__(self) -> None:
        for key, known in (("update_style", STYLES), ("update_residual_init", STARTS)):
            if getattr(self, key) not in known:
                raise DPError(
                    f"descriptor.repformer.{key}: {getattr(self, key)!r} is unknown; allowed: "
                    f"{', '.join(known)}"
                )

    @property
    def told(self) -> dict[str, Any]:
        """What sums of updates are drawn with."""
        return {
            "style": self.update_style,
            "scale": self.update_residual,
            "start": self.update_residual_init,
        }


class RepformerSettings(Settings, name="dpa2_repformer_settings"):
    """The neighbours, sizes and layers of messages."""

    rcut: float = setting(doc="cutoff, Å")
    rcut_smth: float = setting(doc="where the switch function begins to fall, Å")
    nsel: int = setting(doc="largest number of neighbours of all types within the cutoff")
    nlayers: int = setting(3, doc="number of layers")
    g1_dim: int = setting(128, doc="number of features g1 of an atom")
    g2_dim: int = setting(16, doc="number of features g2 of a pair")
    axis_neuron: int = setting(4, doc="number of axis columns of symmetrised moments")
    direct_dist: bool = setting(
        False, doc="make g2 and h2 of the distance over the cutoff, not of normalised rows"
    )
    use_sqrt_nnei: bool = setting(
        True, doc="divide moments by the root of the number of neighbours, not by the number"
    )
    activation_function: str = setting("tanh", doc="activation of the layers")
    set_davg_zero: bool = setting(True, doc="keep the mean of the environment rows at zero")
    trainable_ln: bool = setting(True, doc="whether the layer normalisation is trained")
    ln_eps: float | None = setting(
        None, doc="what layer normalisation adds to the variance; by default 1e-5"
    )
    atom: AtomSettings
    pair: PairSettings
    style: StyleSettings

    def __post_init__(self) -> None:
        where = "descriptor.repformer"
        if not 0 <= self.rcut_smth < self.rcut:
            raise DPError(
                f"{where}.rcut_smth: {self.rcut_smth} must lie between 0 and rcut = {self.rcut}"
            )
        _check_positive(self, "nsel", "nlayers", "g1_dim", "g2_dim", "axis_neuron")
        for key, used in (("g2", "update_g1_has_grrg"), ("g1", "update_g1_has_drrd")):
            most = getattr(self, f"{key}_dim")
            if getattr(self.atom, used) and self.axis_neuron > most:
                raise DPError(
                    f"{where}.axis_neuron: {self.axis_neuron} must not be above {key}_dim = {most}"
                )
        if self.eps <= 0.0:
            raise DPError(f"{where}.ln_eps: {self.ln_eps} must be positive")
        if not self.merged_width:
            raise DPError(
                f"{where}.g1_out_mlp: true, but then nothing is left for the layer that takes what has no "
                "layer of its own"
            )
        activation(self.activation_function)

    @property
    def eps(self) -> float:
        """What layer normalisation adds to the variance."""
        return LN_EPS if self.ln_eps is None else self.ln_eps

    @property
    def merged_width(self) -> int:
        """How many numbers the layer is given that takes what has no update of its own."""
        atom, width = self.atom, 0 if self.atom.g1_out_mlp else self.g1_dim
        width += atom.update_g1_has_grrg * self.g2_dim * self.axis_neuron
        width += atom.update_g1_has_drrd * self.g1_dim * self.axis_neuron
        return width + (atom.update_g1_has_conv and not atom.g1_out_conv) * self.g2_dim

    @property
    def rows(self) -> int:
        """How many rows are held for an atom at most, of about the size of those of embedding networks."""
        heads = self.pair.attn2_nhead if self.pair.attends and self.nlayers > 1 else 0
        numbers = 2 * self.g1_dim + 8 * self.g2_dim + 5 * heads * self.nsel
        return self.nlayers * self.nsel * numbers // _ROW + 1


def _check_positive(settings: Module, *keys: str) -> None:
    for key in keys:
        if getattr(settings, key) < 1:
            raise DPError(f"descriptor.repformer.{key}: {getattr(settings, key)} must be positive")
