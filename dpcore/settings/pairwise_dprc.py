"""Pairwise range corrections of QM/MM energies."""

from typing import TYPE_CHECKING, Any, cast

from dpcore.models import Model, PairwiseDPRcModel
from dpcore.settings.arguments import arguments, values_of
from dpcore.settings.kinds import model_kind
from dpcore.settings.parts import draw_part, part_kinds
from dpcore.settings.type_embedding import type_embedding_section
from dpcore.tree import Leaf, arrays, rebuild

if TYPE_CHECKING:
    from dargs import Argument

_PARTS = {
    "qm_model": "the model of the QM region",
    "qmmm_model": "the model of the QM region with one MM residue",
}


def _arguments() -> list["Argument"]:
    from dargs import Argument

    parts = [Argument(key, dict, [], [part_kinds()], doc=doc) for key, doc in _PARTS.items()]
    return [*arguments(PairwiseDPRcModel), *parts, type_embedding_section()]


@model_kind("pairwise_dprc", _arguments, nests=True)
def draw_pairwise_dprc(settings: dict[str, Any], seed: int | None) -> PairwiseDPRcModel:
    """Draw the models of the QM region and of its pairs with residues."""
    own, told = values_of(PairwiseDPRcModel, settings, "model"), settings.get("type_embedding")
    parts: dict[str, Any] = {}
    for number, key in enumerate(_PARTS):
        section = settings[key] if told is None else settings[key] | {"type_embedding": told}
        own_seed = None if seed is None else seed + number
        parts[key] = draw_part(section, settings["type_map"], own_seed, f"model.{key}")
    if told is not None:
        parts["qmmm_model"] = _told_as(parts["qm_model"], parts["qmmm_model"])
    return PairwiseDPRcModel(**parts, **own)


def _told_as(first: Model, other: Model) -> Model:
    """Return the other model with the type embedding of the first."""
    name = "type_embedding."
    shared = {
        path.partition(name)[2]: value for path, value in arrays(first).items() if name in path
    }

    def leaf(path: str, own: Leaf) -> Any:
        return shared[path.partition(name)[2]] if name in path else own.value

    return cast("Model", rebuild(other, leaf))
