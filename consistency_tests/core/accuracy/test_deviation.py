"""Two models compared on data."""

import numpy as np
import pytest
from example_models import CELL, TYPES, example

from dpcore.accuracy.deviation import deviation_lines, deviations
from dpcore.data import System
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.registry import backend

MODEL = example("plain").model


def potential(model):
    return DeepPot.from_document(Document(model), backend("numpy"), tables=False)


def system(*, periodic=True, natoms=8, nframes=3, **labels):
    coord = np.random.default_rng(natoms).uniform(0.0, 1.0, (nframes, natoms, 3)) @ CELL
    cells = np.tile(CELL, (nframes, 1, 1)) if periodic else None
    return System("here", TYPES[:natoms], coord, cells, labels)


def test_a_known_shift():
    """A larger bias of one type moves energies by its share of the atoms, and nothing else."""
    shifted = MODEL.with_(out_bias=MODEL.out_bias + np.array([[[0.5], [0.0]]]))
    # Labels are not looked at, whatever they are.
    systems = [system(), system(natoms=5, energy=np.full((3, 1), np.nan))]
    found = deviations(potential(shifted), potential(MODEL), systems)
    assert list(found) == ["energy", "force", "virial"]
    shares = np.repeat([3 / 8, 2 / 5], 3)
    assert found["energy"].largest == pytest.approx(0.5 * 2 / 5)
    assert found["energy"].error.rmse == pytest.approx(0.5 * np.sqrt(np.mean(shares**2)))
    assert found["force"].largest < 1e-12
    assert found["virial"].largest < 1e-12
    first, second, _ = deviation_lines(found)
    assert first == "energy per atom : largest 2.0e-01 eV/atom, RMS 1.9e-01 eV/atom"
    assert second.startswith("force           : largest ")
    assert second.endswith(" eV/Å")


def test_forces_and_virials():
    scaled = MODEL.with_(fitting=example("plain", fitting={"neuron": (7, 5)}).model.fitting)
    data = system()
    found = deviations(potential(scaled), potential(MODEL), [data])
    ours, theirs = (
        potential(m).evaluate(data.coord, data.cell, data.atom_types) for m in (scaled, MODEL)
    )
    force, virial = (ours[name] - theirs[name] for name in ("force", "virial"))
    assert found["force"].largest == pytest.approx(np.abs(force).max())
    assert found["force"].error.rmse == pytest.approx(np.sqrt(np.mean(force**2)))
    assert found["virial"].largest == pytest.approx(np.abs(virial).max() / 8)
    assert found["force"].largest > 1e-3


def test_there_is_no_virial_without_a_cell():
    found = deviations(potential(MODEL), potential(MODEL), [system(periodic=False)])
    assert list(found) == ["energy", "force"]


def test_many_frames_are_taken_in_parts(monkeypatch):
    monkeypatch.setattr("dpcore.accuracy.systems.CHUNK_ATOMS", 16)
    other = MODEL.with_(out_bias=MODEL.out_bias + 1.0)
    found = deviations(potential(other), potential(MODEL), [system(nframes=5)])
    assert found["energy"].error.weight == 5
    assert found["energy"].largest == pytest.approx(1.0)


def test_parameters():
    model = example("aparam", fitting={"numb_aparam": 3}).model
    both = potential(model), potential(model)
    with pytest.raises(DPError, match="here: no aparam, of which the model needs 3"):
        deviations(*both, [system()])
    given = system(aparam=np.ones((3, 8, 3)))
    assert deviations(*both, [given])["force"].largest == 0.0
