"""Keys that contradict each other although each of them is good."""

from collections.abc import Mapping
from typing import Any

from dpcore.errors import DPError, suggest
from dpcore.settings.check import is_comment
from dpcore.train.input import Branch, TrainInput

NVNMD = "training for NVNMD hardware is not supported; train with DeePMD-kit"

# Keys of a multi-task input, and those in their place otherwise.
_FORMS = {
    "model.model_dict": "model",
    "loss_dict": "loss",
    "learning_rate_dict": "learning_rate",
    "training.data_dict": "training.training_data",
    "training.model_prob": "",
    "training.num_epoch_dict": "training.numb_epoch",
}
_EPOCHS = ("numb_epoch", "num_epochs", "num_epoch", "numb_epochs")

# Which factors of a loss have to be above 0 for a metric to mean something.
_METRICS = {
    "ener": {"E": "e", "F": "f", "V": "v", "S": "v"},
    "ener_spin": {"E": "e", "FR": "fr", "FM": "fm", "V": "v", "S": "v"},
}


def check_sections(given: Mapping[str, Any], *, several: bool) -> None:
    """Refuse keys of a multi-task model in the input of another one, and the reverse.

    Raises:
        DPError: such a key, or one section too many or too few.
    """
    if "nvnmd" in given:
        raise DPError(f"nvnmd: {NVNMD}")
    if not {"model", "training", "learning_rate"} & given.keys():
        raise DPError(
            f"no input of training: it has none of the sections model, learning_rate, loss and training; "
            f"found {', '.join(sorted(map(str, given)))[:80] or 'nothing'}"
        )
    for key in ("model", "training"):
        if not isinstance(given.get(key), dict):
            raise DPError(
                f"{key}: {'no section' if key in given else 'missing'}; an input file needs it"
            )
    wrong = {new: old for new, old in _FORMS.items() if new != "model.model_dict"}
    if several:
        wrong = {"loss": "loss_dict"}
        wrong |= {
            f"training.{key}": "training.data_dict" for key in ("training_data", "validation_data")
        }
        wrong |= {f"training.{key}": "training.num_epoch_dict" for key in _EPOCHS}
    for key, instead in wrong.items():
        section, _, last = key.rpartition(".")
        if last in (given.get(section, {}) if section else given):
            kind = "a multi-task model (model.model_dict)" if several else "one model alone"
            hint = f"; use {instead}" if instead else "; leave it out"
            raise DPError(f"{key}: has no meaning for {kind}{hint}")
    if several:
        _check_branches(given)


def _check_branches(given: Mapping[str, Any]) -> None:
    """Refuse sections of branches that do not exist."""
    branches = given["model"]["model_dict"]
    if not isinstance(branches, dict):
        raise DPError(f"model.model_dict: {branches!r} is of a wrong kind; allowed: a section")
    names = {name for name in branches if not is_comment(name)}
    if not names:
        raise DPError("model.model_dict: no branches; one at least is needed")
    training = given["training"]
    for key in ("data_dict", "model_prob", "num_epoch_dict"):
        _check_names(training.get(key, {}), names, f"training.{key}")
    for key in ("loss_dict", "learning_rate_dict"):
        _check_names(given.get(key, {}), names, key)
    rates = [key for key in ("learning_rate", "learning_rate_dict") if key in given]
    if len(rates) != 1:
        raise DPError(
            f"learning_rate: {'learning_rate_dict is given too; keep one of them' if rates else 'missing'}"
        )
    complete = {"training.num_epoch_dict": training.get("num_epoch_dict")}
    complete["learning_rate_dict"] = given.get("learning_rate_dict")
    for key, section in complete.items():
        if section and names - section.keys():
            raise DPError(f"{key}: the branch {min(names - section.keys())!r} is missing")


def _check_names(section: Any, names: set[str], where: str) -> None:
    if not isinstance(section, dict):
        raise DPError(f"{where}: {section!r} is of a wrong kind; allowed: a section")
    for name in section:
        if name not in names and not is_comment(name):
            raise DPError(
                f"{where}.{name}: model.model_dict has no such branch{suggest(name, names)}"
            )


def check_together(found: TrainInput) -> None:
    """Refuse keys that contradict each other.

    Raises:
        DPError: both or neither of the number of steps and of epochs, numbers of branches that mean nothing,
            or evaluations of all validation data that are not possible.
    """
    steps, epochs = found.training.numb_steps, found.training.numb_epoch
    name = "num_epoch_dict" if found.several else "numb_epoch"
    by_epochs = (
        any(b.epochs is not None for b in found.branches) if found.several else epochs is not None
    )
    if by_epochs == (steps is not None):
        problem = (
            f"{name} is given too; keep one of them" if by_epochs else f"missing, and so is {name}"
        )
        raise DPError(f"training.numb_steps: {problem}")
    if found.several:
        _check_shares(found)
    _check_low_rank(found)
    _check_goals(found)
    _check_validating(found)


def _check_low_rank(found: TrainInput) -> None:
    """Refuse changes of low rank where there are no matrices for them."""
    for branch in found.branches:
        if branch.about.lora is None:
            continue
        if found.several:
            raise DPError(
                f"model.model_dict.{branch.name}.lora: low-rank changes are for one model alone; leave it out"
            )
        if branch.model.get("descriptor", {}).get("type") != "dpa4":
            raise DPError("model.lora: is for the descriptor dpa4 alone; leave it out")


def _check_goals(found: TrainInput) -> None:
    """Refuse what an optimizer with goals of its own leaves without an effect."""
    if not found.optimizer.goal_losses:
        return
    kind = found.optimizer.type_name.removesuffix("_optimizer")
    if found.training.acc_freq > 1:
        raise DPError(
            f"training.acc_freq: {found.training.acc_freq}; an optimizer of type {kind!r} takes its steps on "
            "single batches: leave it out, and set batch_size"
        )
    if found.training.gradient_max_norm:
        raise DPError(
            f"training.gradient_max_norm: an optimizer of type {kind!r} does not follow the gradient of the "
            "loss; leave it out"
        )


def _check_shares(found: TrainInput) -> None:
    for branch in found.branches:
        for key, value in (("model_prob", branch.probability), ("num_epoch_dict", branch.epochs)):
            good = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
            if value is not None and not good:
                raise DPError(
                    f"training.{key}.{branch.name}: {value!r} must be a number of 0 or more"
                )
    given = [b.probability for b in found.branches if b.probability is not None]
    if given and any(b.epochs is not None for b in found.branches):
        raise DPError("training.model_prob: num_epoch_dict is given too; keep one of them")
    if given and len(given) < len(found.branches):
        lacking = next(b.name for b in found.branches if b.probability is None)
        raise DPError(f"training.model_prob: the branch {lacking!r} is missing")
    if given and not sum(given) > 0:
        raise DPError("training.model_prob: all are 0; one at least must be above")


def _check_validating(found: TrainInput) -> None:
    """Refuse evaluations of all validation data that are not possible."""
    section = found.validating
    if section.ema_full_validation and not found.training.enable_ema:
        raise DPError("validating.ema_full_validation: needs training.enable_ema: true")
    asked = section.full_validation or section.ema_full_validation
    if not asked or section.full_val_start == 1:
        return
    key = "full_validation" if section.full_validation else "ema_full_validation"
    if found.several:
        raise DPError(f"validating.{key}: is not possible for a multi-task model; leave it out")
    (branch,) = found.branches
    if branch.data.validation_data is None:
        raise DPError(f"validating.{key}: needs training.validation_data")
    _check_metric(section.validation_metric, branch, key)


def _check_metric(metric: str, branch: Branch, key: str) -> None:
    kind = branch.loss.type_name.removesuffix("_loss")
    if kind not in _METRICS:
        raise DPError(
            f"validating.{key}: is possible with the losses {', '.join(_METRICS)}; found {kind!r}"
        )
    quantity = metric.strip().upper().partition(":")[0]
    if quantity not in _METRICS[kind]:
        raise DPError(
            f"validating.validation_metric: {metric!r} is not possible with the loss {kind!r}; allowed: MAE "
            f"and RMSE of {', '.join(_METRICS[kind])}"
        )
    label = _METRICS[kind][quantity]
    factors = [f"{end}_pref_{label}" for end in ("start", "limit")]
    if not any(getattr(branch.loss, factor) for factor in factors):
        raise DPError(
            f"validating.validation_metric: {metric!r} needs loss.{factors[0]} or loss.{factors[1]} above 0"
        )
