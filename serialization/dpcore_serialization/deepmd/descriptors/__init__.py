"""Descriptors, one file for each kind."""

from typing import Any

from dpcore.descriptors import (
    DPA2,
    DPA3,
    DPA4,
    Descriptor,
    Hybrid,
    SeAtten,
    SeAttenV2,
    SeE2A,
    SeE2R,
    SeE3,
    SeE3Tebd,
)
from dpcore.errors import DPError, suggest
from dpcore_serialization.deepmd.descriptors import (
    dpa2,
    dpa3,
    dpa4,
    hybrid,
    se_atten,
    se_e2_a,
    se_e2_r,
    se_e3,
    se_e3_tebd,
)
from dpcore_serialization.deepmd.descriptors.registry import READERS, WRITERS
from dpcore_serialization.deepmd.fields import UnwritableError

READERS |= dict.fromkeys(("se_e2_a", "se_a"), se_e2_a.read_se_e2_a)
READERS |= dict.fromkeys(("se_e2_r", "se_r"), se_e2_r.read_se_e2_r)
READERS |= dict.fromkeys(("se_e3", "se_at", "se_a_3be", "se_t"), se_e3.read_se_e3)
READERS |= {"se_e3_tebd": se_e3_tebd.read_se_e3_tebd, "hybrid": hybrid.read_hybrid}
READERS |= dict.fromkeys(("se_atten", "dpa1"), se_atten.read_se_atten)
READERS |= {"se_atten_v2": se_atten.read_se_atten_v2}
WRITERS |= {SeE2A: se_e2_a.write_se_e2_a, SeE2R: se_e2_r.write_se_e2_r}
WRITERS |= {SeE3: se_e3.write_se_e3, SeE3Tebd: se_e3_tebd.write_se_e3_tebd}
WRITERS |= {SeAtten: se_atten.write_se_atten, SeAttenV2: se_atten.write_se_atten_v2}
READERS |= dict.fromkeys(("dpa4", "DPA4", "SeZM", "sezm"), dpa4.read_dpa4)
READERS |= {"dpa3": dpa3.read_dpa3}
WRITERS |= {DPA4: dpa4.write_dpa4}
WRITERS |= {DPA3: dpa3.write_dpa3}
READERS |= {"dpa2": dpa2.read_dpa2}
WRITERS |= {DPA2: dpa2.write_dpa2}
WRITERS |= {Hybrid: hybrid.write_hybrid}


def read_descriptor(data: Any, path: str) -> Descriptor:
    """Read a descriptor of any supported type."""
    kind = data.get("type") if isinstance(data, dict) else None
    if kind not in READERS:
        raise DPError(
            f"{path}.type: the descriptor {kind!r} is not supported{suggest(str(kind), READERS)}"
        )
    return READERS[kind](data, path)


def write_descriptor(descriptor: Descriptor, type_map: list[str]) -> dict[str, Any]:
    """Write a descriptor.

    Raises:
        UnwritableError: DeePMD-kit's files do not know the descriptor.
    """
    if type(descriptor) not in WRITERS:
        raise UnwritableError(
            f"DeePMD-kit's files do not know the descriptor {descriptor.type_name!r}"
        )
    return WRITERS[type(descriptor)](descriptor, type_map)
