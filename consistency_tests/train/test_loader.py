"""Batches with their labels: laid out as the loss needs them, made ahead, and the same after a restart."""

import json
import threading
import time

import example_models
import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import ExactSizes, RecurringSizes
from dpcore.train.data import Inputs, Loader, Maker, Pick, one_batch, open_data
from dpcore.train.data.prefetch import Prefetch
from dpcore.train.settings import TrainingData
from dpcore.train.targets import Wanted

ENERGY, FORCE = Wanted("energy", "frame"), Wanted("force", "atom", 3)
NOTHING = Inputs(dict.fromkeys(("fparam", "aparam", "spin", "charge_spin"), 0), {})
RANDOM = np.random.default_rng(11)


def write(folder, types, nframes=3, **arrays):
    """Write a system of atoms on a grid, so that none are close to each other."""
    part = folder / "set.000"
    part.mkdir(parents=True)
    (folder / "type.raw").write_text(" ".join(map(str, types)))
    (folder / "nopbc").touch()
    grid = np.argwhere(np.ones((4, 4, 4)))[: len(types)] * 1.5
    coord = grid + RANDOM.uniform(0, 0.3, (nframes, len(types), 3))
    for name, values in {"coord": coord, **arrays}.items():
        np.save(part / f"{name}.npy", np.asarray(values).reshape(nframes, -1))
    return folder


@pytest.fixture
def systems(tmp_path):
    """Return systems of two and three atoms, the second without forces."""
    force = np.arange(18.0).reshape(3, 2, 3)
    write(tmp_path / "a", [0, 1], energy=[1, 2, 3], force=force, hessian=np.arange(108.0))
    write(tmp_path / "b", [1, 1, 0], energy=[4, 5, 6], hessian=np.arange(243.0))
    return [str(tmp_path / "a"), str(tmp_path / "b")]


def maker(systems, wanted, inputs=NOTHING, sizes=None, selected=None, **settings):
    data = open_data(TrainingData(systems=tuple(systems), **settings), ["O", "H"], wanted)
    data.check_labels(wanted)
    layout = one_batch([Selection(4.0, (8, 8))], ExactSizes() if sizes is None else sizes)
    return Maker(data, inputs, tuple(wanted), layout, selected)


def test_frames_of_several_systems_share_a_batch(systems):
    wanted = [ENERGY, FORCE, Wanted("atom_pref", "atom", default=2.0), Wanted("virial", "frame", 9)]
    portion = maker(systems, wanted).make([Pick(1, 2), Pick(0, 1), Pick(1, 0)])
    batch, targets = portion.batch, portion.targets
    assert (portion.nframes, portion.natoms) == (3, 8)
    assert batch.natoms.tolist() == [3, 2, 3, 0]
    assert batch.types.tolist() == [1, 1, 0, 0, 1, 1, 1, 0, 0]
    # What no frame has is missing.
    assert targets.keys() == {"energy", "force", "atom_pref"}
    assert targets["energy"].value.tolist() == [[6], [2], [4], [0]]
    assert targets["energy"].there.tolist() == [1, 1, 1, 0]
    force = targets["force"]
    assert force.there.tolist() == [0, 1, 0, 0]
    np.testing.assert_array_equal(force.value[3:5], np.arange(6.0, 12).reshape(2, 3))
    assert not force.value[:3].any()
    assert not force.value[5:].any()
    assert targets["atom_pref"].value[:, 0].tolist() == [2] * 8 + [0]
    assert targets["atom_pref"].there.tolist() == [1, 1, 1, 0]
    # All atoms are centres.
    places = np.concatenate([group.place for group in batch.groups])
    assert sorted(places.tolist()) == list(range(8))


def test_labels_have_the_axes_of_a_padded_batch(systems):
    portion = maker(systems, [ENERGY, FORCE], sizes=RecurringSizes()).make([Pick(0, 0)] * 5)
    assert len(portion.targets["energy"].value) == len(portion.batch.natoms) > 5
    assert len(portion.targets["force"].value) == len(portion.batch.frame) > 10


def test_second_derivatives_by_atoms(systems):
    wanted = [ENERGY, Wanted("hessian", "pair", 0)]
    target = maker(systems, wanted).make([Pick(0, 1), Pick(1, 2)]).targets["hessian"]
    assert target.value.shape == (6, 27)
    found = target.value[:5].reshape(5, 3, 3, 3)
    small, large = np.arange(36.0, 72).reshape(6, 6), np.arange(162.0, 243).reshape(9, 9)
    for atom in range(5):
        for own, other, direction in np.ndindex(3, 3, 3):
            if atom >= 2:
                expected = large[3 * (atom - 2) + own, 3 * other + direction]
            else:
                expected = small[3 * atom + own, 3 * other + direction] if other < 2 else 0
            assert found[atom, own, other, direction] == expected


def test_labels_of_some_atoms(tmp_path):
    folder = write(tmp_path / "a", [0, 1, 0], atomic_dipole=np.arange(18.0))
    wanted = [Wanted("atom_dipole", "atom", 3)]
    target = maker([str(folder)], wanted, selected=(0,)).make([Pick(0, 1)]).targets["atom_dipole"]
    assert target.value[:3].tolist() == [[6, 7, 8], [0, 0, 0], [9, 10, 11]]
    with pytest.raises(
        DPError, match=r"frame 1: atom_dipole has 6 numbers; 3 atoms need 9, the 1 of"
    ):
        maker([str(folder)], wanted, selected=(1,)).make([Pick(0, 1)])


def test_labels_of_a_wrong_size(tmp_path):
    folder = write(tmp_path / "a", [0, 1], band_gap=np.ones(6))
    wanted = [Wanted("band_gap", "frame", 3)]
    with pytest.raises(DPError, match=r"a: frame 2: band_gap has 2 numbers; 3 are needed"):
        maker([str(folder)], wanted).make([Pick(0, 2)])


def test_what_a_model_takes(tmp_path):
    with_it = write(tmp_path / "a", [0, 1], fparam=np.arange(6.0), aparam=np.ones(6))
    without = write(tmp_path / "b", [0, 1], aparam=np.ones(6))
    widths = {"fparam": 2, "aparam": 0, "spin": 0, "charge_spin": 0}
    inputs = Inputs(widths, {"fparam": (7.0, 8.0)})
    batch = maker([str(with_it), str(without)], [], inputs).make([Pick(1, 0), Pick(0, 2)]).batch
    assert batch.fparam[:2].tolist() == [[7, 8], [4, 5]]
    assert batch.aparam is None
    with pytest.raises(
        DPError, match=r"b/set\.000: no fparam, of which the model takes 2; add fparam"
    ):
        Inputs(widths, {}).check(open_data(TrainingData(systems=str(tmp_path)), ["O", "H"]).sources)
    wide = Inputs(widths | {"fparam": 3}, {})
    with pytest.raises(DPError, match="a: frame 0: fparam has 2 numbers where the model takes 3"):
        maker([str(with_it)], [], wide).make([Pick(0, 0)])


def test_charge_and_spin_of_frames(tmp_path):
    folder = write(tmp_path / "a", [0, 1], charge_spin=[[0, 1], [-1, 2], [0.5, 1]])
    inputs = Inputs({"fparam": 0, "aparam": 0, "spin": 0, "charge_spin": 2}, {})
    batch = maker([str(folder)], [], inputs).make([Pick(0, 1), Pick(0, 0)]).batch
    assert batch.charge_spin[:2].tolist() == [[-1, 2], [0, 1]]
    with pytest.raises(DPError, match=r"a: frame 2: charge_spin: the charge 0\.5 must be a whole"):
        maker([str(folder)], [], inputs).make([Pick(0, 2)])


@pytest.mark.parametrize("name", example_models.BY_NAME)
def test_what_examples_take(name):
    example = example_models.BY_NAME[name]
    frame, inputs = example.frame(seed=1), Inputs.of(example.double())
    for key in ("fparam", "aparam", "spin"):
        given = getattr(frame, key)
        if given is not None:
            assert inputs.widths[key] == given.shape[-1]
        else:
            assert not inputs.widths[key] or key in inputs.defaults


def test_overlapping_atoms_are_named_with_their_file_and_frame(systems, tmp_path):
    coord = np.load(tmp_path / "b/set.000/coord.npy")
    coord[1, 3:6] = coord[1, :3]
    np.save(tmp_path / "b/set.000/coord.npy", coord)
    with pytest.raises(DPError, match=r"b: frame 1: atoms 0 and 1 are at the same place"):
        maker(systems, [ENERGY]).make([Pick(0, 1), Pick(1, 0), Pick(1, 1)])


def energies(loader, number):
    return [next(loader).targets["energy"].value.ravel().tolist() for _ in range(number)]


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_restart_makes_the_same_batches(systems, ahead):
    def loader(seed=3):
        made = maker(systems, [ENERGY], batch_size="mixed:2")
        return Loader(made, made.data.sampler(seed), ahead)

    straight = loader()
    expected = energies(straight, 12)
    straight.close()
    first = loader()
    assert energies(first, 5) == expected[:5]
    state = json.loads(json.dumps(first.state()))
    first.close()
    # What was made ahead and never taken is made again.
    assert energies(first, 2) == expected[5:7]
    first.close()
    second = loader(seed=4)
    assert second.restore(state)
    assert energies(second, 7) == expected[5:]
    second.close()


def test_an_error_of_the_thread_is_raised_where_the_batch_is_taken(systems, tmp_path):
    energy = np.array([[1.0], [np.nan], [3]])
    np.save(tmp_path / "a/set.000/energy.npy", energy)
    made, before = maker(systems[:1], [ENERGY], batch_size=1), threads()
    loader = Loader(made, made.data.sampler(1), ahead=2)
    with pytest.raises(DPError, match=r"energy\.npy: frame 1 holds nan or inf"):
        energies(loader, 4)
    loader.close()
    assert threads() == before


def threads():
    """Return how many threads make batches, those of other tests included."""
    return sum(thread.name == "data" for thread in threading.enumerate())


def test_things_are_made_ahead_but_not_without_end():
    made, before = [], threads()

    def make():
        made.append(len(made))
        return made[-1]

    with Prefetch(make, ahead=3) as ready:
        assert [next(ready) for _ in range(2)] == [0, 1]
        wait_until(lambda: len(made) == 6)
        time.sleep(0.05)
        # Three that are ready, and one that waits for room.
        assert len(made) == 6
        assert next(ready) == 2
        assert threads() == before + 1
    assert threads() == before
    assert list(ready) == []


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)


def test_a_step_does_not_wait_for_its_batch(systems):
    """Batches that take less time than steps are ready when they are asked for."""
    made = maker(systems, [ENERGY], batch_size=2)
    loader = Loader(made, made.data.sampler(1), ahead=2)
    next(loader)
    first = loader.waited
    for _ in range(20):
        time.sleep(0.02)
        next(loader)
    loader.close()
    assert first > 0
    assert loader.waited - first < 0.1


def test_batches_for_a_model(systems):
    model = example_models.BY_NAME["plain"].double()
    wanted = [ENERGY, Wanted("force", "atom", 3, needed=True)]
    layout = one_batch(model.selections, ExactSizes())
    for chosen, text in (
        (systems[:1], ""),
        (systems, r"b/set\.000: no force, which the loss needs"),
    ):
        data = open_data(TrainingData(systems=tuple(chosen)), model.type_map, wanted)
        if text:
            with pytest.raises(DPError, match=text):
                Maker.of(data, model, wanted, layout)
            continue
        made = Maker.of(data, model, wanted, layout)
        assert made.selected == tuple(range(len(model.type_map)))
        assert made.make([Pick(0, 0), Pick(0, 2)]).targets["energy"].value[:2, 0].tolist() == [1, 3]
