"""Descriptors: what the fitting networks see of an atom's surroundings."""

from dpcore.descriptors.descriptor import DESCRIPTORS, Description, Descriptor
from dpcore.descriptors.dpa2 import DPA2
from dpcore.descriptors.dpa3 import DPA3
from dpcore.descriptors.dpa4 import DPA4
from dpcore.descriptors.hybrid import Hybrid
from dpcore.descriptors.loc_frame import LocFrame
from dpcore.descriptors.se_a_ebd_v2 import SeAEbdV2
from dpcore.descriptors.se_a_mask import SeAMask
from dpcore.descriptors.se_a_tpe import SeATpe
from dpcore.descriptors.se_atten import SeAtten, SeAttenV2
from dpcore.descriptors.se_e2_a import SeE2A
from dpcore.descriptors.se_e2_r import SeE2R
from dpcore.descriptors.se_e3 import SeE3
from dpcore.descriptors.se_e3_tebd import SeE3Tebd
from dpcore.descriptors.with_types import WithTypes

__all__ = [
    "DESCRIPTORS",
    "DPA2",
    "DPA3",
    "DPA4",
    "Description",
    "Descriptor",
    "Hybrid",
    "LocFrame",
    "SeAEbdV2",
    "SeAMask",
    "SeATpe",
    "SeAtten",
    "SeAttenV2",
    "SeE2A",
    "SeE2R",
    "SeE3",
    "SeE3Tebd",
    "WithTypes",
]
