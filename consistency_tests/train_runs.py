"""Small inputs of training on made systems, and runs of them."""

import numpy as np
from made_data import frames_of, write_system

from dpcore.registry import backend
from dpcore.settings.read import read_input
from dpcore.train.run import prepare
from dpcore.train.start import Start

DESCRIPTOR = {
    "type": "se_atten",
    "sel": 8,
    "rcut": 4.0,
    "rcut_smth": 1.0,
    "neuron": [3, 6],
    "axis_neuron": 2,
    "attn_layer": 0,
    "tebd_dim": 4,
    "set_davg_zero": False,
    "precision": "float64",
    "seed": 1,
}
FITTING = {"neuron": [5], "precision": "float64", "seed": 2}


def write_atoms(folder, seed, names=("O", "H"), number=6):
    """Write frames of five atoms with energies and forces."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[[0.0, 1.3]] * 3), axis=-1).reshape(-1, 3)[:5]
    coords = grid + rng.uniform(-0.2, 0.2, (number, 5, 3))
    types = [0] * (1 + seed % 2) + [1] * (4 - seed % 2)
    labels = {"energy": rng.normal(-10.0, 1.0, number), "force": rng.normal(size=(number, 15))}
    write_system(folder, frames_of(coords, types), list(names), labels)
    return str(folder)


def input_of(model, training, **more):
    """Return an input of a few steps."""
    rates = {"type": "exp", "start_lr": 0.01, "stop_lr": 1e-4, "decay_steps": 2}
    loss = {} if "model_dict" in model else {"loss": {"type": "ener"}}
    short = {"seed": 3, "disp_freq": 1, "save_freq": 2, "numb_steps": 4}
    found = {"model": model, "learning_rate": rates, "training": short | training}
    return found | loss | more


def single(folder, types=("O", "H"), **model):
    """Return an input of one model."""
    section = {"type_map": list(types), "descriptor": DESCRIPTOR, "fitting_net": FITTING}
    data = {"training_data": {"systems": [folder], "batch_size": 2}}
    return input_of(section | model, data)


def several(folders, branches=None, shared=None, training=None, **more):
    """Return an input of branches that share descriptor and fitting, unless told otherwise."""
    common = {"types": ["O", "H"], "d": DESCRIPTOR, "f": FITTING | {"dim_case_embd": len(folders)}}
    section = {"type_map": "types", "descriptor": "d", "fitting_net": "f"}
    models = {name: section | (branches or {}).get(name, {}) for name in folders}
    data = {
        name: {"training_data": {"systems": [folder], "batch_size": 2}}
        for name, folder in folders.items()
    }
    model = {"shared_dict": common | (shared or {}), "model_dict": models}
    losses = {name: {"type": "ener"} for name in folders}
    return input_of(model, {"data_dict": data} | (training or {}), loss_dict=losses, **more)


def begun(given, name="numpy", **start):
    """Return a run that is about to begin."""
    return prepare(read_input(given), backend(name), start=Start(count=False, **start))


def done(given, name="numpy", **start):
    """Return a run after its last step."""
    run = begun(given, name, **start)
    run.go()
    return run


def model_of(run):
    """Return the model as it is now."""
    return run.keeper.model(run.keeper.adapter.to_numpy(run.loop.progress.vector))
