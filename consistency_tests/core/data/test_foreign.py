"""Formats of other programs, against files that ASE and dpdata write."""

import sys
import warnings

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from dpcore.data.foreign import ForeignRecords
from dpcore.data.records import labelled
from dpcore.errors import DPError

TYPES = ["H", "C", "O"]


@pytest.fixture
def frames():
    """Return frames of three sizes, the last one open."""
    random, found = np.random.default_rng(0), []
    for n in (2, 3, 4):
        atoms = ase.Atoms("OHHC"[:n], random.uniform(0, 5, (n, 3)), cell=6 * np.eye(3), pbc=n < 4)
        atoms.calc = SinglePointCalculator(
            atoms, energy=float(n), forces=random.normal(size=(n, 3)), stress=0.01 * np.arange(6.0)
        )
        atoms.info["fparam"] = [1.0, n]
        found.append(atoms)
    return found


def test_extended_xyz(frames, tmp_path):
    path = tmp_path / "x.extxyz"
    ase.io.write(path, frames)
    records = ForeignRecords(str(path), "extxyz")
    assert records.counts.tolist() == [2, 3, 4]
    for number in (2, 0, 1):
        found, atoms = labelled(records.read(number), TYPES), frames[number]
        assert [TYPES[t] for t in found.types] == atoms.get_chemical_symbols()
        np.testing.assert_allclose(found.arrays["coord"], atoms.positions, atol=1e-8)
        assert found.arrays["energy"].tolist() == [number + 2.0]
        np.testing.assert_allclose(found.arrays["force"], atoms.get_forces(), atol=1e-8)
        np.testing.assert_array_equal(found.arrays["fparam"], [1, number + 2])
        assert ("box" in found.arrays) == (number < 2)
    # The virial is minus the derivative of the energy by the strain; stress is that by the volume.
    virial = labelled(records.read(0), TYPES).arrays["virial"].reshape(3, 3)
    np.testing.assert_allclose(virial, -216 * frames[0].get_stress(voigt=False), rtol=1e-7)
    np.testing.assert_array_equal(virial, virial.T)


def test_dpdata(frames, tmp_path):
    dpdata = pytest.importorskip("dpdata")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system = dpdata.LabeledSystem(frames[1], fmt="ase/structure")
        system.to("deepmd/raw", str(tmp_path / "raw"))
    found = labelled(ForeignRecords(str(tmp_path / "raw"), "deepmd/raw").read(0), TYPES)
    order = np.argsort(found.types, kind="stable")
    np.testing.assert_array_equal(np.sort(found.types), [0, 0, 2])
    expected = np.argsort([TYPES.index(s) for s in frames[1].get_chemical_symbols()], kind="stable")
    np.testing.assert_allclose(
        found.arrays["force"][order], frames[1].get_forces()[expected], atol=1e-6
    )
    np.testing.assert_allclose(found.arrays["box"], 6 * np.eye(3), atol=1e-6)


def test_bad_files_and_names(tmp_path):
    (tmp_path / "x").write_text("nothing\nof the kind\n")
    path = str(tmp_path / "x")
    for fmt, text in (
        ("extxyz", "x: not readable in the format extxyz ("),
        ("vasp/outcar", "x: not readable in the format vasp/outcar ("),
        ("vasp/outca", "fmt 'vasp/outca' is unknown; did you mean vasp/outcar"),
        ("@", "fmt '@' is unknown; give a name that dpdata or ASE has"),
    ):
        with pytest.raises(DPError) as caught:
            ForeignRecords(path, fmt)
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(DPError, match="nowhere: not found"):
        ForeignRecords(str(tmp_path / "nowhere"), "extxyz")


def test_packages_that_are_missing(tmp_path, monkeypatch):
    (tmp_path / "x").touch()
    for name in ("ase", "ase.io", "ase.io.formats", "dpdata"):
        monkeypatch.setitem(sys.modules, name, None)
    for fmt in ("extxyz", "vasp/outcar"):
        with pytest.raises(DPError, match=r"pip install dpcore\[formats\]"):
            ForeignRecords(str(tmp_path / "x"), fmt)
