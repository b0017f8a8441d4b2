"""What a model is told of frames and atoms besides where they are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dpcore.errors import DPError


@dataclass(frozen=True)
class Conditions:
    """What a model, or a part of it, is told of frames and atoms besides where they are.

    Attributes:
        numb_fparam: number of frame parameters.
        numb_aparam: number of atomic parameters.
        spin: whether atoms have spins.
        charge_spin: whether frames have a charge and a spin multiplicity.
        default_fparam: frame parameters of frames that come without.
        default_chg_spin: charge and spin multiplicity of frames that come without.
    """

    numb_fparam: int = 0
    numb_aparam: int = 0
    spin: bool = False
    charge_spin: bool = False
    default_fparam: tuple[float, ...] | None = None
    default_chg_spin: tuple[float, ...] | None = None


# Parts that do not take something have no say in its default.
_DEFAULT_OF = {"default_fparam": "numb_fparam", "default_chg_spin": "charge_spin"}


def shared_conditions(parts: Mapping[str, Conditions], where: str) -> Conditions:
    """Return the conditions of what is made of parts; those that take something take the same.

    Args:
        parts: the conditions of each, by what messages call it.
        where: what holds the parts, for messages.

    Raises:
        DPError: parts differ.
    """
    found: dict[str, Any] = {}
    for key in asdict(Conditions()):
        taken = _DEFAULT_OF.get(key, key)
        said = {name: getattr(c, key) for name, c in parts.items() if getattr(c, taken)}
        first, *others = said.items() or [("", getattr(Conditions(), key))]
        for name, value in others:
            if value != first[1]:
                raise DPError(
                    f"{where}: {key} is {first[1]} in {first[0]} and {value} in {name}; parts share the "
                    "parameters of frames and atoms: both must agree"
                )
        found[key] = first[1]
    return Conditions(**found)
