"""DeePMD-kit's example scripts: what each needs before it can run, and how its run is made short."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Part:
    """A model file that a script names and the examples do not contain.

    Attributes:
        file: its name in the script.
        script: the script that such a model is trained with.
    """

    file: str
    script: str

    @property
    def made(self) -> str:
        """Name of the file that is made in its place."""
        return str(Path(self.file).with_suffix(".dp"))


# Frozen graphs of TensorFlow, which DeePMD-kit's users make first.
PARTS: Mapping[str, tuple[Part, ...]] = {
    "water/dplr/train/ener.json": (Part("dw.pb", "water/dplr/train/dw.json"),),
    "water/linear/input.json": (
        Part("model0.pb", "water/se_e2_a/input.json"),
        Part("model1.pb", "water/se_e2_r/input.json"),
    ),
}

_STEPS, _EPOCHS = ("numb_steps", "stop_batch"), ("num_epoch", "numb_epoch", "num_epoch_dict")


def scripts_in(folder: Path) -> list[str]:
    """Return the paths of all scripts of the examples, relative to their folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json"))


def shortened(path: Path, steps: int) -> dict[str, Any]:
    """Return a script with another number of steps.

    Args:
        path: the script.
        steps: how many steps it shall take.
    """
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    training = told.get("training")
    if not isinstance(training, dict):
        return told
    known = [key for key in _EPOCHS if key in training]
    if not known:
        (key,) = [key for key in _STEPS if key in training] or ["numb_steps"]
        return told | {"training": training | {key: steps}}
    # Fewer epochs, so that these are still what the number of steps follows from.
    (key,) = known
    value = training[key]
    if not isinstance(value, dict):
        few = _share(steps, value * _frames(path.parent, training)) * value
    else:
        each = training["data_dict"]
        planned = sum(n * _frames(path.parent, each[name]) for name, n in value.items())
        few = {name: n * _share(steps, planned) for name, n in value.items()}
    return told | {"training": training | {key: few}}


def _share(steps: int, planned: float) -> float:
    """Return which share of the planned steps some are; steps are rounded up."""
    return (steps - 0.5) / planned


def _frames(folder: Path, data: Mapping[str, Any]) -> int:
    """Return how many frames the training data of a section have, which are as many batches of one."""
    systems: Sequence[str] = data["training_data"]["systems"]
    files = [file for name in systems for file in (folder / name).glob("set.*/coord.npy")]
    return sum(len(np.load(file, mmap_mode="r")) for file in files)


def changes(script: str) -> str:
    """Return what else but the number of steps has to be changed in a script, or an empty string."""
    parts = PARTS.get(script, ())
    files = " and ".join(f"`{part.file}`" for part in parts)
    makers = " and ".join(f"`{part.script}`" for part in parts)
    made = " and ".join(f"`{part.made}`" for part in parts)
    return f"{made} in place of {files}, trained with {makers} and frozen" if parts else ""
