"""The commands on model files: ``dp show`` and ``dp convert-backend``."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from dpcore.cli import main
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.models import LinearModel
from dpcore.registry import format_of
from examples import composites

GOLDEN = Path(__file__).resolve().parents[4] / "shared" / "golden"
MODEL = GOLDEN / "se_e2_a" / "model.dp"
PARAMETERS = GOLDEN / "se_e2_a_fparam_aparam" / "model.dp"


def shown(capsys, *words):
    assert main(["show", *map(str, words)]) == 0
    return capsys.readouterr().out


def test_show_prints_everything(capsys):
    out = shown(capsys, MODEL)
    text = " ".join(out.split())
    assert f"file: {MODEL}, 70.8 kB" in text
    assert "type-map: O H" in text
    assert (
        "kind standard predicts energy in eV: the sum of atom_energy, with forces and virials"
        in text
    )
    assert "precision float64 rcut 4.0 sel [20, 40]" in text
    assert "descriptor: type se_e2_a rcut 4.0 rcut_smth 0.5" in text
    assert "source file model.dp sha256" in text
    assert "software deepmd-kit version 3.2.0" in text
    assert "out_bias 1 x 2 x 1 float64 buffer" in text
    assert "model-branch" not in out


def test_show_counts_parameters(capsys):
    size = json.loads(shown(capsys, PARAMETERS, "size", "--json"))["size"]
    # Two embedding networks 1-6-12-24; two fitting networks of 96 + 2 + 3 inputs, 16-16-16, with
    # timesteps in the two layers that are as wide as their input, and one output.
    descriptor = 2 * ((1 + 1) * 6 + (6 + 1) * 12 + (12 + 1) * 24)
    fitting = 2 * ((101 + 1) * 16 + 2 * ((16 + 1) * 16 + 16) + 17)
    assert size == {
        "descriptor": {"trainable": descriptor, "total": descriptor},
        "fitting-net": {"trainable": fitting, "total": fitting},
        "total": {"trainable": descriptor + fitting, "total": descriptor + fitting},
    }


def test_show_counts_frozen_parameters(capsys, tmp_path):
    form = format_of(MODEL)
    document = form.read(MODEL)
    frozen = document.model.with_(descriptor=document.model.descriptor.with_(trainable=False))
    form.write(tmp_path / "frozen.dp", type(document)(frozen))
    size = json.loads(shown(capsys, tmp_path / "frozen", "size", "--json"))["size"]
    assert size["descriptor"]["trainable"] == 0
    assert size["descriptor"]["total"] > 0
    assert size["total"]["trainable"] == size["fitting-net"]["total"]


def test_show_prints_chosen_attributes_only(capsys):
    out = shown(capsys, MODEL, "type-map", "model-branch", "observed-type")
    assert [line for line in out.splitlines() if not line.startswith(" ")] == [
        "type-map:",
        "model-branch:",
        "observed-type:",
    ]
    assert "single-task model" in out
    assert "does not tell which types" in out


def test_show_gives_json(capsys):
    found = json.loads(shown(capsys, MODEL, "--json"))
    assert found["type-map"] == ["O", "H"]
    assert found["file"] == {"path": str(MODEL), "bytes": MODEL.stat().st_size}
    tree = found["serialization-tree"]
    weight = tree["children"]["fitting"]["children"]["nets.0"]["children"]["layers.0"]
    assert weight["arrays"]["weight"]["role"] == "param"
    davg = tree["children"]["descriptor"]["arrays"]["davg"]
    assert davg == {"shape": [2, 60, 4], "dtype": "float64", "role": "buffer"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working folder of a test."""
    folder = tmp_path / "in"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def converted(source, target, code=0):
    assert main(["convert-backend", str(source), str(target), "--atomic-virial"]) == code


def test_a_model_survives_conversion(capsys, tmp_path):
    converted(MODEL, tmp_path / "a.yaml")
    converted(tmp_path / "a.yaml", tmp_path / "b.dp")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[1].startswith(f"dp: wrote {tmp_path / 'b.dp'} (")
    known = np.load(MODEL.parent / "expected.npz")
    out = DeepPot(tmp_path / "b.dp").evaluate(known["coord"], known["box"], known["atype"])
    for name in ("energy", "force", "atom_virial"):
        np.testing.assert_allclose(out[name], known[f"pbc.{name}"], rtol=0, atol=1e-10)


def test_conversion_leaves_its_trace(capsys, tmp_path):
    converted(MODEL, tmp_path / "a.dp")
    converted(tmp_path / "a.dp", tmp_path / "b.dp")
    capsys.readouterr()
    provenance = json.loads(shown(capsys, tmp_path / "b", "provenance", "--json"))["provenance"]
    assert provenance["history"] == [
        {"from": path.name, "command": "convert-backend", "sha256": sha256(path)}
        for path in (MODEL, tmp_path / "a.dp")
    ]
    assert provenance["source"]["software"] == "deepmd-kit"
    out = shown(capsys, tmp_path / "b", "provenance")
    assert "0: from" in out
    assert "1: from" in out


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("model.dp", "model.dp", "it is the input itself"),
        ("model.dp", "../in/model.dp", "it is the input itself"),
        ("model.dp", "nowhere/model.yaml", "nowhere does not exist; create it first"),
        ("model.dp", "model.pb", "unknown suffix '.pb'"),
        ("model", "model.yaml", "no suffix"),
        ("nothing.dp", "model.yaml", "nothing.dp does not exist"),
    ],
)
def test_conversions_that_are_refused(capsys, here, source, target, message):
    Path("model.dp").write_bytes(MODEL.read_bytes())
    converted(source, target, code=1)
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert sha256(Path("model.dp")) == sha256(MODEL)
    assert [path.name for path in here.iterdir()] == ["model.dp"]


def test_show_tells_what_other_models_predict(capsys):
    text = " ".join(shown(capsys, GOLDEN / "dipole" / "model.dp", "model", "fitting-net").split())
    assert "predicts global_dipole, 3 numbers: the sum of dipole, with forces and virials" in text
    assert "fitting-net: type dipole" in text
    text = " ".join(shown(capsys, GOLDEN / "property" / "model.dp", "model").split())
    assert "predicts foo, 3 numbers: the mean of atom_foo precision" in text


def test_show_tells_of_hybrid_descriptors_inside(capsys):
    path = GOLDEN / "hybrid" / "model.dp"
    found = json.loads(shown(capsys, path, "descriptor", "model", "--json"))
    inner = [v for v in found["descriptor"].values() if isinstance(v, dict)]
    assert found["descriptor"]["type"] == "hybrid"
    assert [part["type"] for part in inner] == ["se_e2_a", "se_e2_r"]
    assert len(found["model"]["sel"]) == 2


def test_show_tells_what_spin_models_are_made_of(capsys):
    found = json.loads(shown(capsys, GOLDEN / "spin" / "model.dp", "--json"))
    model = found["model"]
    assert (model["kind"], model["spin"], model["use_spin"]) == ("spin", True, [True, False])
    assert model["parts"]["backbone"]["kind"] == "standard"
    assert found["descriptor"]["backbone.descriptor"]["type"] == "se_e2_a"
    assert found["fitting-net"]["backbone.fitting"]["type"] == "ener"
    size = found["size"]
    total = sum(count["total"] for part, count in size.items() if part != "total")
    assert size["total"]["total"] == total > 0


def test_show_tells_what_sums_of_models_are_made_of(capsys, tmp_path):
    """A sum of a learned model and a table, which has neither descriptor nor fitting."""
    model = composites.THREE
    table = composites.table(type_map=model.type_map)
    whole = LinearModel.create(models=(model, table), type_map=model.type_map, weights="sum")
    format_of("x.dp").write(tmp_path / "sum.dp", Document(whole))
    found = json.loads(shown(capsys, tmp_path / "sum.dp", "--json"))
    kinds = {path: part["kind"] for path, part in found["model"]["parts"].items()}
    assert kinds == {"models.0": "standard", "models.1": "pairtab"}
    assert found["model"]["weights"] == "sum"
    assert found["model"]["parts"]["models.1"]["sel"] == 40
    assert list(found["descriptor"]) == ["models.0.descriptor"]
    text = " ".join(shown(capsys, tmp_path / "sum.dp").split())
    assert "models.0.fitting-net" in text
    assert "models.1 kind pairtab" in text
