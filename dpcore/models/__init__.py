"""Models: descriptors and fittings composed into physical properties."""

from dpcore.models.dipole_charge import DipoleChargeModel
from dpcore.models.frozen import FrozenModel
from dpcore.models.inner_potential import InnerPotential
from dpcore.models.linear import LinearModel
from dpcore.models.model import Model
from dpcore.models.pair_table import PairTable
from dpcore.models.pairwise_dprc import PairwiseDPRcModel
from dpcore.models.spin import SpinModel
from dpcore.models.standard import StandardModel
from dpcore.models.zbl import ZBLModel
from dpcore.output import ENERGY, Output

__all__ = [
    "ENERGY",
    "DipoleChargeModel",
    "FrozenModel",
    "InnerPotential",
    "LinearModel",
    "Model",
    "Output",
    "PairTable",
    "PairwiseDPRcModel",
    "SpinModel",
    "StandardModel",
    "ZBLModel",
]
