"""Input files of older versions of DeePMD-kit, and keys that have moved or gone since."""

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from dpcore.errors import DPError
from dpcore.settings import flat

# Keys of training that are now those of training_data, by the names they have there.
_DATA = {
    key: key
    for key in (
        "systems",
        "set_prefix",
        "batch_size",
        "sys_probs",
        "sys_weights",
        "auto_prob",
        "auto_prob_style",
    )
} | {"sys_prob": "sys_probs"}
_WARMUP = ("warmup_steps", "warmup_ratio", "warmup_start_factor")
_OPTIMIZER = {
    key: key
    for key in (
        "kf_blocksize",
        "kf_start_pref_e",
        "kf_limit_pref_e",
        "kf_start_pref_f",
        "kf_limit_pref_f",
        "weight_decay",
        "momentum",
        "muon_momentum",
        "adam_beta1",
        "adam_beta2",
        "lr_adjust",
        "lr_adjust_coeff",
    )
} | {"opt_type": "type"}
_STEPS = ("numb_steps", "stop_batch", "num_step", "num_steps", "numb_step")


def moved_keys(section: str) -> tuple[str, ...]:
    """Return the keys of a section that are still understood and belong elsewhere or nowhere."""
    moved = {
        "training": ("numb_test", *_WARMUP, *_OPTIMIZER),
        "training_data": ("set_prefix",),
        "validation_data": ("set_prefix",),
    }
    return moved.get(section, ())


@dataclass(frozen=True)
class Upgraded:
    """Settings in the form of today.

    Attributes:
        settings: the settings.
        older: whether the whole file was of an older form.
        notes: what was changed, one line each.
    """

    settings: dict[str, Any]
    older: bool
    notes: tuple[str, ...]


def upgraded(given: Mapping[str, Any]) -> Upgraded:
    """Return settings of any version in the form of today.

    Raises:
        DPError: old and new forms of a key, or of the file, contradict each other.
    """
    settings, notes = deepcopy(dict(given)), list[str]()
    older = flat.is_flat(settings)
    if older:
        settings = flat.sections(settings)
    training = settings.get("training")
    if not isinstance(training, dict):
        return Upgraded(settings, older, tuple(notes))
    if "systems" in training:
        older = True
        _move_data(training)
        _replace_decay_rate(settings)
    if older:
        notes.append("this input file is of an older form; it was converted")
    _drop(training, "numb_test", "training", "validation_data says what errors are shown of", notes)
    for where, data in _data_sections(training):
        _drop(data, "set_prefix", where, "all sets of a system are used", notes)
    _move(settings, "learning_rate", {key: key for key in _WARMUP}, notes)
    _move(settings, "optimizer", _OPTIMIZER, notes)
    return Upgraded(settings, older, tuple(notes))


def _move_data(training: dict[str, Any]) -> None:
    if "training_data" in training:
        raise DPError(
            "training.systems: training_data is given too, which replaces it; keep training_data"
        )
    moved = {_DATA[key]: training.pop(key) for key in list(training) if key in _DATA}
    training["training_data"] = moved


def _replace_decay_rate(settings: dict[str, Any]) -> None:
    """Give an old schedule the rate at the end that its decay leads to."""
    rates = settings.get("learning_rate")
    if not isinstance(rates, dict) or "decay_rate" not in rates or "stop_lr" in rates:
        return
    steps = next((settings["training"][key] for key in _STEPS if key in settings["training"]), None)
    start, every, factor = (
        rates.get("start_lr"),
        rates.get("decay_steps", 5000),
        rates["decay_rate"],
    )
    numbers = (steps, start, every, factor)
    if not all(isinstance(n, int | float) and n > 0 for n in numbers):
        raise DPError(
            "learning_rate.decay_rate: the rate at the end follows from it together with numb_steps, "
            f"start_lr and decay_steps, all above 0; found {numbers[1:]} and {steps} steps; give stop_lr "
            "in its place"
        )
    del rates["decay_rate"]
    rates["stop_lr"] = math.exp(math.log(factor) * (steps / every)) * start  # type: ignore[operator]


def _data_sections(training: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    branches = training.get("data_dict")
    holders = {"training": training}
    if isinstance(branches, dict):
        holders |= {f"training.data_dict.{name}": branch for name, branch in branches.items()}
    for where, holder in holders.items():
        for key in ("training_data", "validation_data"):
            if isinstance(holder, dict) and key in holder:
                yield f"{where}.{key}", holder[key]


def _drop(section: Any, key: str, where: str, why: str, notes: list[str]) -> None:
    if isinstance(section, dict) and key in section:
        del section[key]
        notes.append(f"{where}.{key}: without effect; {why}")


def _move(
    settings: dict[str, Any], section: str, keys: Mapping[str, str], notes: list[str]
) -> None:
    """Move keys out of ``training`` into a section of their own."""
    training = settings["training"]
    found = [key for key in keys if key in training]
    if not found:
        return
    target = settings.setdefault(section, {})
    if not isinstance(target, dict):
        raise DPError(f"{section}: {target!r} is of a wrong kind; allowed: a section")
    for key in found:
        value = training.pop(key)
        if target.get(keys[key], value) != value:
            raise DPError(
                f"training.{key}: {value!r}, but {section}.{keys[key]} is {target[keys[key]]!r}; keep the "
                f"key in {section}"
            )
        target[keys[key]] = value
    names = ", ".join(found)
    notes.append(f"training.{names}: belongs into the section {section}, where it was moved")
