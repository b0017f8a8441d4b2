"""What is compared of models that predict something other than energies, or more."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from dpcore.backend.reference import NumpyAdapter
from dpcore.formats import Document
from dpcore.output import Output
from dpcore.parity import Tolerance, assert_parity, compare, compare_file, generated_samples, table
from dpcore.parity.quantities import quantities_of, values_of
from dpcore.parity.records import as_json, as_junit
from dpcore.parity.report import as_html
from dpcore.registry import format_of
from examples import composites, spin

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"
SPIN = spin.EXAMPLES[0].model


class Shifted(NumpyAdapter):
    """NumPy with one prediction moved by a known amount."""

    def __init__(self, name, by):
        self.name, self.shifted, self.by = "shifted", name, by

    def kernels(self, device):  # noqa: ARG002
        return ()

    def compile(self, function, **_options):
        def changed(model, batch):
            outputs = {k: np.array(v) for k, v in function(model, batch).items()}
            if self.shifted in outputs:
                outputs[self.shifted] = outputs[self.shifted] + self.by
            return outputs

        return changed


def golden(name):
    return format_of("x.dp").read(GOLDEN / name / "model.dp").model


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("se_e2_a", ["energy eV/atom", "force eV/Å", "virial eV/atom"]),
        ("dipole", ["global_dipole units/atom", "force units/Å", "virial units/atom"]),
        ("polar", ["global_polar units/atom", "polar units"]),
        ("dos", ["dos units/atom", "atom_dos units"]),
        ("property", ["foo units", "atom_foo units"]),
    ],
)
def test_quantities_follow_from_the_output(name, expected):
    found = quantities_of(golden(name))
    assert [f"{q.name} {q.unit}" for q in found] == expected


def test_spins_have_forces_of_their_own():
    names = [quantity.name for quantity in quantities_of(SPIN)]
    assert names == ["energy", "force", "force_mag", "virial"]


def test_values_by_hand():
    total, atoms = quantities_of(golden("polar"))
    one, two = np.full((3, 3), 6.0), np.full((3, 3), 8.0)
    predictions = [
        {"global_polar": one, "polar": np.ones((2, 3, 3))},
        {"global_polar": two, "polar": np.zeros((4, 3, 3))},
    ]
    found = values_of((total, atoms), predictions, np.array([2, 4]))
    np.testing.assert_array_equal(found["global_polar"], [one / 2, two / 4])
    assert found["polar"].shape == (6, 3, 3)
    (mean, _) = quantities_of(golden("property"))
    found = values_of((mean,), [{"foo": np.array([6.0])}], np.array([2]))
    np.testing.assert_array_equal(found["foo"], [[6.0]])


@pytest.mark.parametrize("name", ["dipole", "polar", "dos", "property"])
def test_a_shift_is_found_where_it_is(name):
    path = GOLDEN / name / "model.dp"
    total, *others = quantities_of(golden(name))
    result = compare_file(path, [Shifted(total.name, 0.3)])
    first, *rest = result.backends[0].differences
    # The smallest of the frames has three atoms.
    assert first.largest == pytest.approx(0.3 / (3 if total.shared else 1))
    assert not first.agrees
    assert [d.largest for d in rest] == [0.0] * len(others)
    assert [d.quantity for d in rest] == others
    atoms = [d.quantity.name for d in rest if not d.quantity.of_frame]
    (other,) = compare_file(path, [Shifted(atoms[0], 0.3)]).backends
    (found,) = (d for d in other.differences if d.quantity.name == atoms[0])
    assert found.largest == pytest.approx(0.3)
    assert found.atom is not None


def test_tolerances_are_relative_too_where_units_are_others():
    result = compare_file(GOLDEN / "polar" / "model.dp", [Shifted("polar", 0.0)])
    assert result.tolerance == Tolerance(1e-10, 1e-10)
    for difference in result.backends[0].differences:
        largest = result.magnitude(difference.quantity)
        assert difference.tolerance == pytest.approx(1e-10 * (1 + largest))
    assert Tolerance.usual("float32", Output("x", "y")) == Tolerance(1e-5, 1e-5)
    assert Tolerance.usual("float32", Output("x", "y", unit="eV")) == Tolerance(1e-5)


@pytest.fixture(scope="module")
def spins():
    return compare(Document(SPIN), generated_samples(SPIN), [Shifted("force", 0.25)])


def test_models_of_parts_are_compared_as_a_whole(spins):
    """All forces of the backbone are moved: those of atoms, and those of virtual ones by their scale."""
    energy, force, magnetic, virial = spins.backends[0].differences
    assert energy.largest == 0.0
    assert force.largest == pytest.approx(0.5)
    assert magnetic.largest == pytest.approx(0.25 * 0.3)
    assert virial.quantity.name == "virial"
    assert magnetic.quantity.unit == "eV/μB"


def test_composites_agree_with_themselves():
    for example in composites.EXAMPLES[:4]:
        assert assert_parity(
            Document(example.model), ["numpy"], dtype="float32", tolerance=Tolerance(1e-3)
        ).compared


@pytest.mark.parametrize("name", ["dipole", "property", "spin"])
def test_every_account_tells_of_every_quantity(name, spins):
    result = spins
    if name != "spin":
        path = GOLDEN / name / "model.dp"
        result = compare_file(path, [Shifted(quantities_of(golden(name))[0].name, 0.3)])
    names = [quantity.name for quantity in result.quantities]
    record = json.loads(as_json(result))
    assert list(record["backends"][0]["differences"]) == list(record["magnitudes"]) == names
    cases = ET.fromstring(as_junit(result)).iter("testcase")
    assert [case.get("name") for case in cases] == [q.label for q in result.quantities]
    text, page = table(result), as_html(result)
    for quantity in result.quantities:
        assert f"max{quantity.symbol}" in text
        assert f"max {quantity.symbol}" in page
    units = ", ".join(dict.fromkeys(quantity.unit for quantity in result.quantities))
    assert f"({units})" in text
    assert page.count("<svg") == 1
    head = next(line for line in text.splitlines() if line.startswith("backend"))
    assert len(head.split()) >= 5 + len(names)
