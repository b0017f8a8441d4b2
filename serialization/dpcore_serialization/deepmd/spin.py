"""Models with spins."""

from typing import Any

from dpcore.errors import DPError
from dpcore.models import SpinModel, StandardModel
from dpcore_serialization.deepmd.fields import Fields


def read_spin(data: Any, path: str) -> SpinModel:
    """Read a model with spins around a standard one."""
    from dpcore_serialization.deepmd.models import read_model

    with Fields(data, path) as fields:
        fields.skip("type")
        backbone = read_model(fields.take("backbone_model"), f"{path}.backbone_model")
        with Fields(fields.take("spin"), f"{path}.spin") as spin:
            flags, scales = spin.take("use_spin"), spin.take("virtual_scale")
    if not isinstance(backbone, StandardModel):
        raise DPError(
            f"{path}.backbone_model.type: {backbone.type_name!r} takes no spins; allowed: standard"
        )
    magnetic = [_flag(value, f"{path}.spin.use_spin.{i}") for i, value in enumerate(_list(flags))]
    numbers = [_number(v, f"{path}.spin.virtual_scale.{i}") for i, v in enumerate(_list(scales))]
    return SpinModel.of(backbone, magnetic, numbers)


def write_spin(model: SpinModel) -> dict[str, Any]:
    """Write a model with spins."""
    from dpcore_serialization.deepmd.models import write_model

    return {
        "type": "spin_ener",
        "backbone_model": write_model(model.backbone),
        "spin": {"use_spin": list(model.use_spin), "virtual_scale": list(model.virtual_scale)},
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise DPError(f"{path}: {value!r} is no flag; true or false is expected")
    return value


def _number(value: Any, path: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise DPError(f"{path}: {value!r} is no number")
    return float(value)
