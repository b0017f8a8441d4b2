"""What is trained: water, and small molecules of mixed sizes."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.vs_deepmd.results import OURS, THEIRS
from benchmarks.vs_deepmd.training.molecules import (
    TYPE_MAP,
    Molecule,
    molecules,
    most_neighbours,
    write_all,
)
from benchmarks.vs_deepmd.training.results import Learner
from benchmarks.vs_deepmd.water import DESCRIPTORS
from dpcore.errors import DPError

ENDLESS = 1_000_000
"""Steps of a run, which is ended before."""
PEERS = {"pt": "--pt", "tf": "--tf", "jax": "--jax", "tf2": "--tf2", "pt_expt": "--pt-expt"}
"""The peer's backends, and how they are asked for."""
COMPOSITIONS, EACH = 25, 16
CUTOFF = 6.0  # Å
# What the peer reads data in LMDB with, and what merges systems to a batch.
_LMDB, _MERGING = ("pt", "pt_expt"), ("tf",)


@dataclass(frozen=True)
class Course:
    """A way to train, and what its program is given.

    Attributes:
        learner: what it is.
        script: its input.
    """

    learner: Learner
    script: dict[str, Any]

    @property
    def words(self) -> list[str]:
        """What its program is told."""
        backend = self.learner.backend
        chosen = ["--backend", backend] if self.learner.program == OURS else [PEERS[backend]]
        return [*chosen, "train", "input.json", "--skip-neighbor-stat"]


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        name: what it is called.
        model: the model in words.
        data: the data in words.
        aim: how many times as fast as the peer's fastest is aimed at, for each frame.
        steps: of a turn.
        courses: who may train it.
    """

    name: str
    model: str
    data: str
    aim: float
    steps: int
    courses: tuple[Course, ...]


def water(backends: Sequence[str], given: Path, data: Path, steps: int) -> Case:
    """Return DeePMD-kit's example of water, a frame of 192 atoms a step.

    Args:
        backends: ours.
        given: the example's ``input.json``.
        data: the folder of its systems.
        steps: of a turn.

    Raises:
        DPError: a system is missing.
    """
    script = json.loads(given.read_text(encoding="utf-8"))
    names = [Path(name).name for name in script["training"]["training_data"]["systems"]]
    systems = [data.absolute() / name for name in names]
    for system in systems:
        if not system.is_dir():
            raise DPError(
                f"--data {data}: no system {system.name}, which {given} names; give its folder"
            )
    told = _script(script, [str(system) for system in systems], 1, steps)
    courses = [Course(Learner(b, OURS, b, "1", "npy", 1.0), told) for b in backends]
    courses += [Course(Learner(f"peer.{b}", THEIRS, b, "1", "npy", 1.0), told) for b in PEERS]
    words = "DeePMD-kit's example `water/se_e2_a/input.json`, a frame of 192 atoms a step"
    return Case("water", _words(script["model"]), words, 1.5, steps, tuple(courses))


def mixed_sizes(
    backends: Sequence[str], folder: Path, steps: int, frames: Sequence[int], descriptor: str
) -> Case:
    """Return small molecules of mixed sizes.

    Args:
        backends: ours.
        folder: where the data are written.
        steps: of a turn.
        frames: of a step, where it can be chosen; each number is tried.
        descriptor: the kind of descriptor.
    """
    data = molecules(COMPOSITIONS, EACH)
    paths, model = write_all(folder.absolute(), data), molecules_model(data, descriptor)
    script = {"model": model, "learning_rate": _RATE, "loss": _LOSS}
    sizes = np.array([len(molecule.types) for molecule in data])
    courses = [
        _course(b, OURS, "npy", f"mixed:{n}", n, (script, paths, steps), alone=len(frames) == 1)
        for b in backends
        for n in frames
    ]
    for backend in PEERS:
        ways = [way for n in frames for way in peer_batches(backend, sizes, n, descriptor)]
        for layout, batch, each in dict.fromkeys(ways):
            courses.append(_course(backend, THEIRS, layout, batch, each, (script, paths, steps)))
    words = (
        f"{len(data) * EACH} molecules of {sizes.min()} to {sizes.max()} atoms (H, C, N, O), "
        f"{len(data)} compositions, {sizes.mean():.1f} atoms in the mean, not periodic"
    )
    return Case("molecules", _words(model), words, 4.0, steps, tuple(courses))


def peer_batches(
    backend: str, sizes: NDArray[np.integer], frames: int, descriptor: str
) -> list[tuple[str, str | int, float]]:
    """Return the ways in which the peer can make batches: layout, `batch_size`, and frames of a step.

    Args:
        backend: the peer's.
        sizes: atoms of each system.
        frames: of a step, where it can be chosen.
        descriptor: the kind of descriptor.
    """
    atoms = round(frames * float(sizes.mean()))
    # A step of the peer has no more frames of a system than there are.
    rules: list[str | int] = ["auto", f"auto:{atoms}", min(frames, EACH)]
    found = [("npy", rule, frames_of_systems(rule, sizes)) for rule in rules]
    if backend in _LMDB:
        every = np.repeat(sizes, EACH)
        found.append(("lmdb", f"mix:{atoms}", frames_padded(atoms, every)))
        found.append(("lmdb", frames, frames_of_sizes(frames, every)))
    if descriptor == "se_atten":
        found.append(("mixed", frames, float(frames)))
        if backend in _MERGING:
            found.append(("npy", f"mixed:{frames}", float(frames)))
    return found


def frames_of_systems(rule: str | int, sizes: NDArray[np.integer]) -> float:
    """Return the frames of a step in the mean where each is of one system.

    The chance of a system is its share of all batches, so this is the number of frames over that of batches.
    """
    if isinstance(rule, str):
        atoms = int(rule.partition(":")[2] or 32)
        each = np.minimum(-(-atoms // sizes), EACH)
    else:
        each = np.full(len(sizes), min(rule, EACH))
    return float(EACH * len(sizes) / np.sum(-(-EACH // each)))


def frames_of_sizes(frames: int, every: NDArray[np.integer]) -> float:
    """Return the frames of a step in the mean where all have as many atoms."""
    _, counts = np.unique(every, return_counts=True)
    return float(len(every) / np.sum(-(-counts // frames)))


def frames_padded(atoms: int, every: NDArray[np.integer]) -> float:
    """Return the frames of a step in the mean where all are padded to the largest of it.

    Frames are taken in the order of their sizes until another one would be too much.
    """
    steps, held = 1, 0
    for size in np.sort(every):
        if held and (held + 1) * size > atoms:
            steps, held = steps + 1, 0
        held += 1
    return len(every) / steps


def molecules_model(data: Sequence[Molecule], descriptor: str) -> dict[str, Any]:
    """Return the settings of a model that has room for the neighbours in the data, and no more."""
    most = most_neighbours(data, CUTOFF)
    own = dict(DESCRIPTORS[descriptor])
    own["sel"] = most if descriptor == "se_e2_a" else max(len(m.types) for m in data) - 1
    own |= {"type": descriptor, "rcut": CUTOFF, "rcut_smth": 0.5, "neuron": [25, 50, 100]}
    own |= {"axis_neuron": 16, "type_one_side": True, "seed": 1}
    fitting = {"neuron": [240, 240, 240], "resnet_dt": True, "seed": 1}
    return {"type_map": list(TYPE_MAP), "descriptor": own, "fitting_net": fitting}


_RATE = {"type": "exp", "decay_steps": 5000, "start_lr": 0.001, "stop_lr": 3.51e-8}
_LOSS = {
    "type": "ener",
    "start_pref_e": 0.02,
    "limit_pref_e": 1,
    "start_pref_f": 1000,
    "limit_pref_f": 1,
    "start_pref_v": 0,
    "limit_pref_v": 0,
}


def _course(
    backend: str,
    program: str,
    layout: str,
    batch: str | int,
    frames: float,
    told: tuple[Mapping[str, Any], Mapping[str, list[str] | str], int],
    *,
    alone: bool = False,
) -> Course:
    """Return a way to train; that of a backend of ours which is alone needs no further name."""
    script, paths, steps = told
    ours = backend if alone else f"{backend}-{batch}"
    name = ours if program == OURS else f"peer.{backend}-{layout}-{batch}"
    learner = Learner(name, program, backend, str(batch), layout, float(frames))
    return Course(learner, _script(script, paths[layout], batch, steps))


def _script(
    script: Mapping[str, Any], systems: Sequence[str] | str, batch: str | int, steps: int
) -> dict[str, Any]:
    """Return an input with these data, which shows how far it is after each so many steps."""
    out = copy.deepcopy(dict(script))
    out["training"] = {
        "training_data": {"systems": systems, "batch_size": batch},
        "numb_steps": ENDLESS,
        "seed": 10,
        "disp_freq": steps,
        "save_freq": ENDLESS,
    }
    return out


def _words(model: Mapping[str, Any]) -> str:
    own, fitting = model["descriptor"], model["fitting_net"]
    widths = ("-".join(map(str, part["neuron"])) for part in (own, fitting))
    return (
        f"`{own['type']}` with `sel` {own['sel']}, `rcut` {own['rcut']:g} Å, embedding networks "
        f"{next(widths)}, {own['axis_neuron']} axis columns, fitting network {next(widths)}, float64"
    )
