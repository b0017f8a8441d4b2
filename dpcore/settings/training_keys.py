"""Keys of a model section that are not of the model but of its training."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from dpcore.errors import DPError
from dpcore.settings.arguments import arguments
from dpcore.settings.checks import NumberOrAuto, Refused

if TYPE_CHECKING:
    from dargs import Argument

# Keys that hold a largest number of neighbours, which may be found from the data.
COUNTED = ("sel", "nsel", "three_body_sel", "e_sel", "a_sel")

_COMPRESS = "tables are made of trained models; train without it and run 'dp compress'"
_NONE = "a model of this type has no such key; leave it out"

# Keys of DeePMD-kit that are refused: kind, reason, and the values that ask for nothing.
_REFUSED: dict[str, tuple[list[Any], str, tuple[Any, ...]]] = {
    "compress": ([dict, None], _COMPRESS, (None,)),
    "atom_exclude_types": ([list], _NONE, ([],)),
    "pair_exclude_types": ([list], _NONE, ([],)),
    "preset_out_bias": ([list, None], _NONE, (None,)),
    "srtab_add_bias": ([bool], _NONE, (True,)),
}


def training_keys() -> list["Argument"]:
    """Return the definitions of what a model section says of its training."""
    from dargs import Argument

    from dpcore.train.settings import BranchSettings, StatisticsSettings

    notes = Argument(
        "info", dict, optional=True, default={}, doc="remarks, which are stored with the model"
    )
    return [*arguments(StatisticsSettings), *arguments(BranchSettings), notes]


def whole_keys() -> list["Argument"]:
    """Return the definitions of those keys in sections of parts of a model, which cannot have their own."""
    from dargs import Argument

    reason = "a part is trained as the whole is; set this key in model"
    return [
        Argument(
            entry.name,
            list(entry.dtype),
            optional=True,
            doc="refused",
            extra_check=Refused(reason, () if entry.name == "finetune_head" else (entry.default,)),
        )
        for entry in training_keys()
    ]


def refused_keys(taken: Collection[str]) -> list["Argument"]:
    """Return the definitions of keys that DeePMD-kit has and that are refused.

    Args:
        taken: keys that are defined already.
    """
    from dargs import Argument

    return [
        Argument(key, kinds, optional=True, doc="refused", extra_check=Refused(reason, besides))
        for key, (kinds, reason, besides) in _REFUSED.items()
        if key not in taken
    ]


def with_found_numbers(entries: list["Argument"]) -> list["Argument"]:
    """Return definitions of which those of largest numbers of neighbours may be ``auto``."""
    for entry in entries:
        if entry.name in COUNTED:
            kinds: Any = (*entry.dtype, str)
            entry.set_dtype(kinds)
            entry.extra_check = NumberOrAuto()
            if entry.name == "sel" and not entry.optional:
                entry.optional, entry.default = True, "auto"
        with_found_numbers(list(entry.sub_fields.values()))
    return entries


def check_numbers(section: Mapping[str, Any], where: str) -> None:
    """Raise a one-line error if a number of neighbours is still to be found."""
    for key, value in section.items():
        if key in COUNTED and isinstance(value, str):
            raise DPError(
                f"{where}.{key}: {value!r} is found from data, and there are none; give numbers"
            )
        if isinstance(value, dict):
            check_numbers(value, f"{where}.{key}")
