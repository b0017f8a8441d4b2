"""What users should know of an input that is good."""

from collections.abc import Iterator

from dpcore.train.input import Branch, TrainInput

_FULL = "products are computed in the precision of the model"
_EFFECTLESS = {
    ("training", "enable_tf32"): _FULL,
    ("validating", "tf32_infer"): _FULL,
    ("validating", "amp_infer"): _FULL,
    ("validating", "compiled_infer"): "evaluations are compiled where steps are",
}


def remarks(found: TrainInput) -> Iterator[str]:
    """Yield a line for each key that is set and changes nothing."""
    for (section, key), why in _EFFECTLESS.items():
        if getattr(getattr(found, section), key):
            yield f"{section}.{key}: without effect; {why}"
    if found.training.zero_stage:
        yield "training.zero_stage: without effect; every device has all optimizer states"
    if found.training.neighbor_graph_method != "auto":
        yield "training.neighbor_graph_method: without effect; neighbours do not depend on it"
    if found.training.profiling_file != "timeline.json" and not found.training.profiling:
        yield "training.profiling_file: without effect; profiling is not asked for"
    for branch in found.branches:
        yield from _of_charges(branch)


def _of_charges(branch: Branch) -> Iterator[str]:
    """Yield a line where charge and spin may be meant to be frame parameters, as they once were."""
    descriptor, fitting = branch.model.get("descriptor", {}), branch.model.get("fitting_net", {})
    if descriptor.get("add_chg_spin_ebd") and fitting.get("numb_fparam") == 2:
        where = f"model.model_dict.{branch.name}" if branch.name else "model"
        yield (
            f"{where}.fitting_net.numb_fparam: the two parameters are others than charge and spin, which "
            "add_chg_spin_ebd takes from charge_spin.npy or default_chg_spin"
        )
