"""Backends that are wrong in known ways must be found out, and by the right amount."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dpcore import registry
from dpcore.backend import Capabilities
from dpcore.backend.reference import NumpyAdapter
from dpcore.errors import DPError
from dpcore.infer import DeepPot
from dpcore.parity import (
    Status,
    Tolerance,
    assert_parity,
    compare,
    compare_file,
    generated_samples,
    samples_for,
    table,
)

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"
MODEL = GOLDEN / "se_e2_a" / "model.dp"
NATOMS = 24
SMALLEST = 3
"""Atoms of the smallest generated frame."""


class Fake(NumpyAdapter):
    """NumPy with changed results."""

    def __init__(self, name, change=dict):
        self.name, self.change = name, change

    def kernels(self, device):  # noqa: ARG002
        return ()

    def version(self):
        return "1.0"

    def compile(self, function, **_options):
        def changed(model, batch):
            return self.change({k: np.array(v) for k, v in function(model, batch).items()})

        return changed


def shifted(outputs):
    return outputs | {"energy": outputs["energy"] + 0.03}


def scaled(outputs):
    return outputs | {"force": outputs["force"] * 1.001}


def spoilt(outputs):
    outputs["virial"][0, 4] = np.nan
    return outputs


def crashing(_):
    raise RuntimeError("out of memory\n  tried to allocate \x1b[31m8 GiB")


def only(result):
    (backend,) = result.backends
    return backend


def worst(backend):
    return {d.quantity.name: d.largest for d in backend.differences}


@pytest.fixture
def system(tmp_path):
    """Return a system of seven frames."""
    expected = np.load(MODEL.with_name("expected.npz"))
    part = tmp_path / "water" / "set.000"
    part.mkdir(parents=True)
    moved = np.repeat(expected["coord"][:1], 7, axis=0)
    moved += 0.01 * np.arange(7)[:, None, None] * np.sin(np.arange(3 * NATOMS)).reshape(-1, 3)
    np.save(part / "coord.npy", moved.reshape(7, -1))
    np.save(part / "box.npy", np.repeat(expected["box"][:1], 7, axis=0))
    types = "\n".join(str(t) for t in expected["atype"])
    (tmp_path / "water" / "type.raw").write_text(types + "\n")
    (tmp_path / "water" / "type_map.raw").write_text("O\nH\n")
    return tmp_path / "water"


def test_the_same_numbers_agree_exactly():
    result = compare_file(MODEL, [Fake("same")])
    assert only(result).status is Status.AGREES
    assert set(worst(only(result)).values()) == {0.0}
    assert result.passes
    assert result.natoms == 2 * (30 + 30 + SMALLEST)


def test_a_shifted_energy_is_measured_per_atom():
    result = compare_file(MODEL, [Fake("shifted", shifted), Fake("same")])
    bad, good = result.backends
    assert worst(bad)["energy"] == pytest.approx(0.03 / SMALLEST)
    assert worst(bad)["force"] == worst(bad)["virial"] == 0.0
    assert (bad.status, good.status) == (Status.DISAGREES, Status.AGREES)
    assert not result.passes
    # Both frames are off by the same; rounding decides which is named.
    places = {f"generated box below the cutoff, frame {n}" for n in (0, 1)}
    assert result.place(bad.differences[0]) in places


def test_the_worst_force_is_found_where_it_is(system):
    result = compare_file(MODEL, [Fake("scaled", scaled)], [str(system)], limit=3)
    assert [sample.number for sample in result.samples] == [0, 3, 6]
    coord = np.load(system / "set.000" / "coord.npy")[[0, 3, 6]]
    box = np.load(system / "set.000" / "box.npy")[[0, 3, 6]]
    types = [int(t) for t in (system / "type.raw").read_text().split()]
    force = np.abs(DeepPot(MODEL).eval(coord, box, types)[1])
    frame, atom, _ = np.unravel_index(force.argmax(), force.shape)
    difference = only(result).differences[1]
    assert difference.largest == pytest.approx(1e-3 * force.max(), rel=1e-6)
    assert result.place(difference) == f"{system}, frame {3 * frame}, atom {atom}"


def test_nan_never_agrees():
    result = compare_file(MODEL, [Fake("nan", spoilt)], tolerance=Tolerance(1e300, 1e5))
    assert np.isnan(worst(only(result))["virial"])
    assert only(result).status is Status.DISAGREES
    assert not result.passes


def test_a_crash_is_reported_on_one_line_and_the_others_still_run():
    result = compare_file(MODEL, [Fake("crash", crashing), Fake("same")])
    crash, same = result.backends
    assert crash.status is Status.FAILED
    assert crash.reason == "failed: RuntimeError: out of memory tried to allocate �[31m8 GiB"
    assert same.status is Status.AGREES
    assert not result.passes


def test_a_reference_that_fails_is_an_error():
    with pytest.raises(DPError, match="the reference, crash, failed: RuntimeError: out of memory"):
        compare_file(MODEL, ["numpy"], reference=Fake("crash", crashing))


def test_float32_has_rounding_errors_of_its_size():
    result = compare_file(MODEL, ["np"], dtype="float32")
    assert only(result).name == "numpy"
    assert 1e-10 < worst(only(result))["energy"] < 1e-5
    assert result.tolerance == Tolerance(1e-5)
    assert result.passes


def test_the_relative_tolerance_is_of_the_largest_magnitude():
    found = compare_file(MODEL, [Fake("scaled", scaled)]).magnitude
    for rtol, status in ((0.99e-3, Status.DISAGREES), (1.01e-3, Status.AGREES)):
        result = compare_file(MODEL, [Fake("scaled", scaled)], tolerance=Tolerance(0.0, rtol))
        assert only(result).status is status
        difference = only(result).differences[1]
        assert difference.tolerance == pytest.approx(rtol * found(difference.quantity))


@pytest.mark.parametrize("values", [(-1.0, 0.0), (0.0, float("nan")), (float("inf"), 0.0)])
def test_a_tolerance_without_meaning_is_refused(values):
    with pytest.raises(DPError, match="must be a finite number"):
        Tolerance(*values)


class OnDevices(Fake):
    capabilities = Capabilities(devices=("cpu", "gpu"))

    def device(self, name):
        self.asked = name


def test_the_device_is_for_the_backends_that_have_it():
    fake = OnDevices("devices")
    result = compare_file(MODEL, [fake, Fake("same")], device="gpu:1")
    assert fake.asked == "gpu:1"
    assert [backend.device for backend in result.backends] == ["gpu:1", "cpu"]
    assert result.reference.device == "cpu"


def test_parameters_are_drawn_where_the_model_takes_some():
    result = compare_file(GOLDEN / "se_e2_a_fparam_aparam" / "model.dp", [Fake("same")])
    assert {sample.frame.fparam.shape for sample in result.samples} == {(2,)}
    assert result.passes


def test_data_beside_the_model_is_used(tmp_path, system):
    folder = tmp_path / "trained"
    folder.mkdir()
    path = folder / "model.dp"
    path.write_bytes(MODEL.read_bytes())
    model = registry.format_of(path).read(path).model
    assert samples_for(model, path)[0].system == "generated periodic box"
    system.rename(folder / "data")
    assert {sample.system for sample in samples_for(model, path)} == {str(folder / "data")}
    assert len(samples_for(model, path, limit=0)) == 7


def test_unknown_types_in_the_data_are_an_error(system):
    (system / "type_map.raw").write_text("O\nXe\n")
    with pytest.raises(DPError, match="Xe"):
        compare_file(MODEL, [Fake("same")], [str(system)])


def test_missing_parameters_in_the_data_name_the_system(system):
    with pytest.raises(DPError, match="water: fparam: the model needs 2"):
        compare_file(GOLDEN / "se_e2_a_fparam_aparam" / "model.dp", ["numpy"], [str(system)])


def test_wrong_calls_are_errors():
    document = registry.format_of(MODEL).read(MODEL)
    with pytest.raises(DPError, match="no frames"):
        compare(document, [])
    with pytest.raises(DPError, match="unknown backend 'nunpy'; did you mean 'numpy'"):
        compare(document, generated_samples(document.model), ["nunpy"])
    with pytest.raises(DPError, match="dtype: 'float16'"):
        compare(document, generated_samples(document.model), dtype="float16")
    with pytest.raises(DPError, match="numb-test: -1"):
        samples_for(document.model, systems=["x"], limit=-1)


def test_only_named_backends_must_be_installed(monkeypatch):
    known = {name: registry._points(name) for name in ("dpcore.formats", "dpcore.backend_aliases")}
    group = "dpcore.backends"
    modules = {"numpy": "dpcore.backend.reference:adapter", "absent": "no_such_framework:adapter"}
    known[group] = {name: EntryPoint(name, value, group) for name, value in modules.items()}
    monkeypatch.setattr(registry, "_points", known.__getitem__)
    # With kernels the reference would be compared with itself without them.
    monkeypatch.setattr(NumpyAdapter, "kernels", lambda *_: ())
    result = compare_file(MODEL)
    assert only(result).reason == "not installed: pip install 'dpcore[absent]'"
    assert only(result).status is Status.MISSING
    assert result.passes
    assert "Nothing was compared" in table(result)
    assert compare_file(MODEL, ["absent"]).passes is False
    with pytest.raises(AssertionError, match="Nothing was compared"):
        assert_parity(MODEL)
    broken = ModuleType("half_a_backend")
    monkeypatch.setitem(sys.modules, "half_a_backend", broken)
    known[group]["absent"] = EntryPoint("absent", "half_a_backend:adapter", group)
    assert only(compare_file(MODEL)).status is Status.FAILED


def test_the_helper_for_test_suites_shows_the_table():
    document = registry.format_of(MODEL).read(MODEL)
    assert assert_parity(document, [Fake("same")]).passes
    with pytest.raises(AssertionError) as caught:
        assert_parity(MODEL, [Fake("shifted", shifted)])
    assert "shifted  1.0      cpu          1.0e-02" in str(caught.value)
    assert "NOT in agreement: shifted (1 of 1 backends)." in str(caught.value)


def test_the_columns_of_the_table_are_aligned():
    fakes = [Fake("a-very-long-name", shifted), Fake("crash", crashing)]
    lines = table(compare_file(MODEL, fakes)).splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("backend"))
    head, units, reference, row, crash = lines[start : start + 5]
    for word in ("version", "device", "agrees"):
        column = head.index(word)
        assert row[column - 1] == reference[column - 1] == " "
        assert row[column] != " "
    end = head.index("max|ΔE|/atom") + len("max|ΔE|/atom")
    assert row[:end].endswith("1.0e-02")
    assert units[:end].endswith("eV/atom")
    assert crash.startswith("crash             failed: RuntimeError")
