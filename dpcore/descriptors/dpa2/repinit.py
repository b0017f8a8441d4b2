"""What is told of the first features of atoms, those of their surroundings."""

from typing import Any

from dpcore.descriptors.dpa2.common import Common
from dpcore.tree import Settings, setting

# Settings that descriptors of the surroundings have by the same names.
_SHARED = ("tebd_dim", "tebd_input_mode", "set_davg_zero", "activation_function", "resnet_dt")
_PAIRS = ("rcut", "rcut_smth", "neuron", "axis_neuron", "type_one_side")
_TRIPLES = ("rcut", "rcut_smth", "sel", "neuron")


class RepinitSettings(Settings, name="dpa2_repinit_settings"):
    """How the surroundings of atoms are described at first."""

    rcut: float = setting(doc="cutoff, Å")
    rcut_smth: float = setting(doc="where the switch function begins to fall, Å")
    nsel: int = setting(doc="largest number of neighbours of all types within the cutoff")
    neuron: tuple[int, ...] = setting((25, 50, 100), doc="widths of the embedding network")
    axis_neuron: int = setting(16, doc="number of axis columns")
    tebd_dim: int = setting(8, doc="number of features of a type")
    tebd_input_mode: str = setting(
        "concat",
        doc="concat: the features of the types are inputs of the embedding network; strip: a network of "
        "their own multiplies its output",
    )
    set_davg_zero: bool = setting(True, doc="keep the mean of the environment rows at zero")
    activation_function: str = setting("tanh", doc="activation of the embedding networks")
    type_one_side: bool = setting(False, doc="tell the networks the neighbour's type alone")
    resnet_dt: bool = setting(False, doc="scale residual layers by a trained timestep")
    use_three_body: bool = setting(False, doc="embed the angles between neighbours as well")
    three_body_neuron: tuple[int, ...] = setting(
        (2, 4, 8), doc="widths of the embedding network of angles"
    )
    three_body_sel: int = setting(40, doc="largest number of neighbours whose angles are embedded")
    three_body_rcut: float = setting(4.0, doc="cutoff of these neighbours, Å")
    three_body_rcut_smth: float = setting(
        0.5, doc="where the switch function of these neighbours begins to fall, Å"
    )

    def pairs_told(self, common: Common) -> dict[str, Any]:
        """Return what the descriptor of the neighbours is told."""
        told = {key: getattr(self, key) for key in (*_PAIRS, *_SHARED)}
        rest = {"sel": self.nsel, "attn_layer": 0, "smooth_type_embedding": common.smooth}
        return told | common.of_blocks | rest

    def triples_told(self, common: Common) -> dict[str, Any]:
        """Return what the descriptor of pairs of neighbours is told."""
        told = {key: getattr(self, f"three_body_{key}") for key in _TRIPLES}
        told |= {key: getattr(self, key) for key in _SHARED}
        return told | common.of_blocks | {"smooth": common.smooth}
