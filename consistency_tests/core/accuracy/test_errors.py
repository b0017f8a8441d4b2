"""Errors against numbers worked out by hand."""

import logging
from math import sqrt

import numpy as np
import pytest
from known_model import Known, numbers, system

from dpcore.accuracy import (
    DetailFiles,
    choose_frames,
    model_errors,
    report,
    system_errors,
    systems,
    weighted_average,
)
from dpcore.errors import DPError

REPORT = """\
Energy MAE         : 7.500000e-01 eV
Energy RMSE        : 7.905694e-01 eV
Energy MAE/Natoms  : 3.750000e-01 eV
Energy RMSE/Natoms : 3.952847e-01 eV
Force  MAE         : 5.833333e-01 eV/Å
Force  RMSE        : 1.443376e+00 eV/Å
Force weighted MAE : 1.000000e+00 eV/Å
Force weighted RMSE: 1.732051e+00 eV/Å
Virial MAE         : 4.000000e-01 eV
Virial RMSE        : 5.656854e-01 eV
Virial MAE/Natoms  : 2.000000e-01 eV
Virial RMSE/Natoms : 2.828427e-01 eV
Stress MAE         : 5.000000e-02 eV/Å^3
Stress RMSE        : 7.071068e-02 eV/Å^3
Atomic ener MAE    : 2.500000e-01 eV
Atomic ener RMSE   : 5.000000e-01 eV"""


def predictions(nframes=2, natoms=2):
    """Return energies, forces and virials of 2 frames and 2 atoms that differ from zero in few places."""
    force = np.zeros((nframes, natoms, 3))
    force[0, 0, 0], force[0, 1, 1] = 3.0, 4.0
    virial = np.zeros((nframes, 9))
    virial[0] = 0.8
    atom_energy = np.zeros((nframes, natoms, 1))
    atom_energy[1, 0] = 1.0
    return {
        "energy": np.array([[1.5], [1.0]]),
        "force": force,
        "virial": virial,
        "atom_energy": atom_energy,
    }


def all_labels():
    return {
        "energy": np.array([[1.0], [2.0]]),
        "force": np.zeros((2, 2, 3)),
        "virial": np.zeros((2, 9)),
        "atom_ener": np.zeros((2, 2, 1)),
        "atom_pref": np.array([[[1.0], [0.0]], [[0.0], [0.0]]]),
    }


def test_every_quantity_by_hand():
    tested = system_errors(Known(predictions()), system(**all_labels()), atomic=True)
    assert (tested.path, tested.nframes, tested.missing) == ("water", 2, ())
    values = {name: (error.mae, error.rmse) for name, error in tested.errors.items()}
    assert values == {
        "energy": pytest.approx((0.75, sqrt(0.625))),
        "energy_per_atom": pytest.approx((0.375, sqrt(0.625) / 2)),
        "force": pytest.approx((7 / 12, sqrt(25 / 12))),
        "weighted_force": pytest.approx((1.0, sqrt(3.0))),
        "virial": pytest.approx((0.4, sqrt(0.32))),
        "virial_per_atom": pytest.approx((0.2, sqrt(0.08))),
        "stress": pytest.approx((0.05, sqrt(0.005))),
        "atom_energy": pytest.approx((0.25, 0.5)),
    }
    weights = {name: error.weight for name, error in tested.errors.items()}
    assert weights["energy"] == 2
    assert weights["force"] == 12
    assert weights["weighted_force"] == 3
    assert weights["virial"] == 18
    assert report(tested.errors) == REPORT.splitlines()


def test_frames_tested_in_parts_give_the_same(monkeypatch):
    model = Known(predictions())
    whole = system_errors(model, system(**all_labels()), atomic=True)
    monkeypatch.setattr(systems, "CHUNK_ATOMS", 1)
    parts = system_errors(model, system(**all_labels()), atomic=True)
    assert len(model.seen) == 3
    assert report(parts.errors) == report(whole.errors)
    assert parts.nframes == whole.nframes


def test_what_has_no_label_is_left_out():
    labels = {"energy": np.array([[1.0], [2.0]])}
    tested = system_errors(Known(predictions()), system(**labels))
    assert set(tested.errors) == {"energy", "energy_per_atom"}
    assert tested.missing == ("force", "virial")


def test_a_virial_needs_a_cell():
    tested = system_errors(Known(predictions()), system(cell=None, **all_labels()))
    assert not {"virial", "virial_per_atom", "stress"} & set(tested.errors)
    assert tested.missing == ()


def test_atomic_energies_are_tested_on_request_only():
    tested = system_errors(Known(predictions()), system(**all_labels()))
    assert "atom_energy" not in tested.errors


def test_weights_of_zero_weigh_nothing():
    labels = all_labels() | {"atom_pref": np.zeros((2, 2, 1))}
    tested = system_errors(Known(predictions()), system(**labels))
    assert "weighted_force" not in tested.errors


def test_padding_atoms_do_not_count():
    types = [[0, 1, -1], [1, -1, -1]]
    predicted = {
        "energy": np.array([[2.0], [3.0]]),
        "force": np.full((2, 3, 3), 100.0),
        "virial": np.zeros((2, 9)),
    }
    force = np.zeros((2, 3, 3))
    force[0, :2], force[1, :1] = 101.0, 104.0
    mixed = system(types, energy=np.zeros((2, 1)), force=force)
    errors = system_errors(Known(predicted), mixed).errors
    assert errors["energy"].mae == 2.5
    assert errors["energy_per_atom"].mae == (2 / 2 + 3 / 1) / 2
    assert errors["force"].weight == 9
    assert errors["force"].mae == (2 * 1 + 1 * 4) / 3
    assert errors["force"].rmse == pytest.approx(sqrt((2 * 1 + 16) / 3))


def test_average_weighs_systems_by_their_values():
    model = Known(predictions())
    small = system(**all_labels()).take([0])
    tested = model_errors(model, iter([small, system(**all_labels())]))
    assert [one.nframes for one in tested] == [1, 2]
    average = weighted_average(tested)
    # Energies are off by 0.5 in the first, by 0.5 and 1 in the second system.
    assert average["energy"].mae == pytest.approx(2.0 / 3)
    assert average["energy"].rmse == pytest.approx(sqrt((0.25 + 0.25 + 1) / 3))
    assert average["force"].mae == pytest.approx(14 / 18)
    assert average["force"].rmse == pytest.approx(sqrt(50 / 18))


def test_average_takes_a_quantity_from_the_systems_that_have_it():
    model = Known(predictions())
    without = system(energy=np.array([[1.5], [1.0]]))
    average = weighted_average(model_errors(model, [without, system(**all_labels())]))
    assert average["energy"].mae == pytest.approx(1.5 / 4)
    assert average["force"].mae == pytest.approx(7 / 12)


def test_a_system_without_labels_is_skipped(caplog):
    with caplog.at_level(logging.WARNING):
        assert model_errors(Known({}), [system(path="bare")]) == []
    assert caplog.messages == ["bare: skipped, for it has no label (energy, force, virial)"]


def test_parameters_come_from_the_data():
    fparam, aparam = np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 2, 1))
    model = Known(predictions(), fparam=2, aparam=1)
    system_errors(model, system(**all_labels(), fparam=fparam, aparam=aparam))
    np.testing.assert_array_equal(model.seen[0][0], fparam)
    np.testing.assert_array_equal(model.seen[0][1], aparam)


def test_parameters_that_the_model_does_not_take_are_not_passed():
    model = Known(predictions())
    system_errors(model, system(**all_labels(), fparam=np.ones((2, 1))))
    assert model.seen == [(None, None)]


def test_default_parameters_stand_in_for_missing_ones():
    model = Known(predictions(), fparam=2, default=True)
    system_errors(model, system(**all_labels()))
    assert model.seen == [(None, None)]


@pytest.mark.parametrize(
    ("dims", "extra", "message"),
    [
        ({"fparam": 2}, {}, "water: no fparam, of which the model needs 2; add fparam.npy"),
        ({"aparam": 1}, {}, "water: no aparam, of which the model needs 1; add aparam.npy"),
        (
            {"fparam": 2},
            {"fparam": np.ones((2, 3))},
            "water: fparam has 3 numbers where the model needs 2",
        ),
    ],
)
def test_parameters_that_do_not_fit(dims, extra, message):
    with pytest.raises(DPError, match=message):
        system_errors(Known(predictions(), **dims), system(**all_labels(), **extra))


def test_errors_of_the_model_name_the_system():
    class Refusing(Known):
        def evaluate(self, *_, **__):
            raise DPError("atoms overlap")

    with pytest.raises(DPError, match=r"^water: atoms overlap$"):
        system_errors(Refusing({}), system(**all_labels()))


def test_frames_are_chosen_in_order_or_at_random():
    data = system(**all_labels())
    assert choose_frames(data, 0, None).nframes == 2
    assert choose_frames(data, 5, None).nframes == 2
    np.testing.assert_array_equal(choose_frames(data, 1, None).coord[:, 0, 0], [0])
    order = np.random.default_rng(0).permutation(2)
    shuffled = choose_frames(data, 0, np.random.default_rng(0))
    np.testing.assert_array_equal(shuffled.coord[:, 0, 0], order)
    np.testing.assert_array_equal(shuffled.labels["energy"], data.labels["energy"][order])


def details_of(tmp_path, *tested, atomic=True):
    files = DetailFiles(str(tmp_path / "run.1"))
    for one in tested:
        system_errors(Known(predictions()), one, atomic=atomic, details=files)
    return {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()}


def test_detail_files_have_the_columns_of_deepmd_kit(tmp_path):
    found = details_of(tmp_path, system(**all_labels()))
    names = ("e", "e_peratom", "f", "v", "v_peratom", "s", "ae")
    assert sorted(found) == sorted(f"run.1.{name}.out" for name in names)
    np.testing.assert_array_equal(numbers(found["run.1.e.out"]), [[1.0, 1.5], [2.0, 1.0]])
    np.testing.assert_array_equal(numbers(found["run.1.e_peratom.out"]), [[0.5, 0.75], [1.0, 0.5]])
    force = numbers(found["run.1.f.out"])
    np.testing.assert_array_equal(force[:2], [[0, 0, 0, 3, 0, 0], [0, 0, 0, 0, 4, 0]])
    assert force.shape == (4, 6)
    np.testing.assert_array_equal(numbers(found["run.1.v.out"])[0], [0.0] * 9 + [0.8] * 9)
    np.testing.assert_array_equal(numbers(found["run.1.v_peratom.out"])[0, 9:], [0.4] * 9)
    np.testing.assert_allclose(numbers(found["run.1.s.out"])[0, 9:], [-0.1] * 9)
    np.testing.assert_array_equal(numbers(found["run.1.ae.out"])[:, 1], [0, 0, 1, 0])
    headers = {name: text.splitlines()[0] for name, text in found.items()}
    assert headers["run.1.e.out"] == "# water: data_e pred_e"
    assert headers["run.1.e_peratom.out"] == "# water: data_e pred_e"
    assert headers["run.1.f.out"] == ("# water: data_fx data_fy data_fz pred_fx pred_fy pred_fz")
    assert headers["run.1.v.out"] == (
        "# water: data_vxx data_vxy data_vxz data_vyx data_vyy data_vyz data_vzx data_vzy data_vzz "
        "pred_vxx pred_vxy pred_vxz pred_vyx pred_vyy pred_vyz pred_vzx pred_vzy pred_vzz"
    )
    assert headers["run.1.s.out"].startswith("# water (eV/Å^3): data_sxx data_sxy")


def test_detail_files_have_a_block_for_each_system(tmp_path, monkeypatch):
    (tmp_path / "run.1.e.out").write_text("left by an earlier run\n")
    monkeypatch.setattr(systems, "CHUNK_ATOMS", 1)
    found = details_of(
        tmp_path, system(**all_labels(), path="ice"), system(**all_labels()), atomic=False
    )
    lines = found["run.1.e.out"].splitlines()
    assert [line for line in lines if line.startswith("#")] == [
        "# ice: data_e pred_e",
        "# water: data_e pred_e",
    ]
    np.testing.assert_array_equal(numbers(found["run.1.e.out"]), [[1.0, 1.5], [2.0, 1.0]] * 2)
    assert "run.1.ae.out" not in found


def test_detail_files_need_their_folder(tmp_path):
    with pytest.raises(DPError, match="nowhere is no folder; create it first"):
        DetailFiles(str(tmp_path / "nowhere" / "run"))
