"""Models whose descriptor is told of spins."""

from typing import Any

from dpcore.errors import DPError
from dpcore.models import Model
from dpcore_serialization.deepmd.fields import Fields, UnwritableError

# The kinds of model that may be inside, as files call them.
_INSIDE = ("standard", "linear", "linear_ener")


def read_native_spin(data: Any, path: str) -> Model:
    """Read a model whose descriptor is told of spins."""
    from dpcore_serialization.deepmd.models import read_model

    inside = dict(data)
    kind, section = inside.pop("backbone_type", "standard"), inside.pop("spin", None)
    if kind not in _INSIDE:
        raise DPError(
            f"{path}.backbone_type: {kind!r} takes no spins; allowed: {', '.join(_INSIDE)}"
        )
    model = read_model(inside | {"type": kind}, path)
    check_flags(model, section, path)
    return model


def check_flags(model: Model, section: Any, path: str) -> None:
    """Raise a one-line error if the section of spins says other than the descriptor.

    Args:
        model: the model.
        section: the section.
        path: where the model is in the file, for messages.
    """
    with Fields(section, f"{path}.spin") as fields:
        # Displacements of virtual atoms, of which there are none.
        fields.skip("virtual_scale")
        flags = fields.take("use_spin")
    if list(model.magnetic) != flags:
        raise DPError(
            f"{path}.spin.use_spin: {flags}, but {list(model.magnetic)} of the descriptor; both must agree"
        )


def written_with_spins(data: dict[str, Any], model: Model) -> dict[str, Any]:
    """Return a dictionary of a model, as DeePMD-kit wraps it where the descriptor is told of spins.

    Raises:
        UnwritableError: DeePMD-kit knows no such model with spins.
    """
    if not model.magnetic or data["type"] == "native_spin":
        return data
    if data["type"] not in _INSIDE:
        raise UnwritableError(f"DeePMD-kit's files know no model {data['type']!r} with spins")
    spin = {"use_spin": list(model.magnetic), "virtual_scale": None}
    return data | {"type": "native_spin", "backbone_type": data["type"], "spin": spin}
