"""A tiny run: a model of a few parameters, a few frames of a few atoms."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from made_data import frames_of, write_system
from train_inputs import changed

from dpcore import registry, tree
from dpcore.settings.read import read_input
from dpcore.train.run import prepare
from dpcore.train.start import Start

TYPES = np.array([0, 1, 1, 0])
NAMES = ("A", "B")
CELL = np.diag([7.0, 8.0, 9.0])
HOME = np.array([[1.0, 1, 1], [2.5, 1, 1], [1, 2.6, 1], [2.4, 2.4, 1.3]])
INPUT = {
    "model": {
        "type_map": list(NAMES),
        "descriptor": {
            "type": "se_e2_a",
            "sel": [4, 4],
            "rcut": 3.5,
            "rcut_smth": 1.0,
            "neuron": [2, 4],
            "axis_neuron": 2,
            "seed": 1,
        },
        "fitting_net": {"neuron": [4], "seed": 1},
    },
    "learning_rate": {"type": "exp", "start_lr": 1e-2, "stop_lr": 1e-4, "decay_steps": 5},
    "loss": {"start_pref_e": 1, "limit_pref_e": 1, "start_pref_f": 10, "limit_pref_f": 1},
    "training": {
        "training_data": {"systems": ["train"], "batch_size": 2},
        "validation_data": {"systems": ["valid"], "batch_size": 2},
        "numb_steps": 10,
        "seed": 3,
        "disp_freq": 5,
        "save_freq": 5,
    },
}


def labels_of(coords):
    """Return energies, forces and virials of atoms that springs hold in place."""
    away = np.asarray(coords) - HOME
    return {
        "energy": (away**2).sum(axis=(1, 2)) - 7.0,
        "force": -2.0 * away,
        "virial": np.einsum("fai,faj->fij", away, -2.0 * away),
    }


def write_data(folder, *, frames=6, seed=0, cell=CELL, drop=()):
    """Write a system of frames of four atoms, with labels."""
    rng = np.random.default_rng(seed)
    coords = HOME + rng.normal(scale=0.15, size=(frames, 4, 3))
    labels = {name: x for name, x in labels_of(coords).items() if name not in drop}
    write_system(folder, frames_of(coords, TYPES, cell), NAMES, labels)


def write_input(folder, changes=None):
    """Write the data and the input of a run, and return the input's path.

    Args:
        folder: where to.
        changes: other values of keys, given by their paths.
    """
    for name, seed in (("train", 0), ("valid", 1)):
        if not (folder / name).exists():
            write_data(folder / name, seed=seed)
    path = Path(folder, "input.json")
    path.write_text(json.dumps(changed(changes or {}, INPUT)))
    return path


def prepared(path, backend="numpy", **start):
    """Return the run of an input, which is about to begin in the folder of that."""
    return prepare(read_input(str(path)), registry.backend(backend), None, Start(**start))


def taken(path, backend="numpy", **start):
    """Return the run of an input, after its last step."""
    run = prepared(path, backend, **start)
    run.go()
    return run


def stored(path):
    """Return what a checkpoint holds."""
    return registry.format_of(path).read(path)


def parameters(path):
    """Return the arrays of the model in a file by path."""
    return tree.arrays(stored(path).model)


def read_lines(path):
    """Return the lines of a text file."""
    return Path(path).read_text().splitlines()


def dp(folder, *words, wait=True, **variables):
    """Run the program in a folder, and return its code, its output and what it says.

    Args:
        folder: where.
        words: its command line.
        wait: until it has ended; otherwise the process is returned.
        variables: of the environment.
    """
    quick = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    told = {"XLA_FLAGS": quick, "OMP_NUM_THREADS": "1"} | variables
    process = subprocess.Popen(
        [sys.executable, "-m", "dpcore", *map(str, words)],
        cwd=folder,
        env=os.environ | {name: str(value) for name, value in told.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if not wait:
        return process
    output, said = process.communicate(timeout=120)
    return process.returncode, output, said
