"""The learned model inside one that puts a table or a repulsion beside it."""

from pathlib import Path
from typing import Any

from dpcore import tree
from dpcore.errors import DPError
from dpcore.models import InnerPotential, LinearModel, Model, PairTable, StandardModel, ZBLModel

_STATISTICS = ("out_bias", "out_std")


def place_of_learned(model: Model) -> str | None:
    """Return where the only learned model is inside a model with ``use_srtab`` or a repulsion.

    Returns:
        its path; None for models of other kinds.
    """
    if not isinstance(model, LinearModel | ZBLModel):
        return None
    if not any(isinstance(part, InnerPotential | PairTable) for part in model.models):
        return None
    # A sum weights its parts, which then are not what they were trained to be.
    if isinstance(model, LinearModel) and model.weights != "sum":
        return None
    each = enumerate(model.models)
    found = [f"models.{i}" for i, part in each if isinstance(part, StandardModel)]
    return found[0] if len(found) == 1 else None


def around(old: Model, new: Model, place: str, path: Path) -> dict[str, Any]:
    """Return the arrays of a model whose learned part has those of a trained one.

    The output bias is that of the whole, for it belongs to the energy of the table too.

    Args:
        old: the trained model, without a table or a repulsion.
        new: the model, with the statistics of its data.
        place: where its learned part is.
        path: the file of the trained model, for messages.

    Raises:
        DPError: both are for other types.
    """
    if old.type_map != new.type_map:
        raise DPError(
            f"{path}: is for the types {' '.join(old.type_map)}, the input for {' '.join(new.type_map)}; where "
            "use_srtab or bridging_method is added, both must agree"
        )
    mine, theirs, inside = tree.arrays(new), tree.arrays(old), f"{place}."
    neutral = {f"{inside}{name}" for name in _STATISTICS}
    kept = {p: x for p, x in mine.items() if not p.startswith(inside) or p in neutral}
    moved = {f"{inside}{p}": x for p, x in theirs.items() if p not in _STATISTICS}
    return kept | moved | {name: theirs[name] for name in _STATISTICS}
