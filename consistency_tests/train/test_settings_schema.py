"""The JSON schema and the description of input files, and their keys against DeePMD-kit's."""

import json
from pathlib import Path

import jsonschema
import pytest
from train_inputs import BASE, changed

from dpcore.cli import main
from dpcore.errors import DPError
from dpcore.settings.checks import Refused, refusal
from dpcore.settings.describe import described, selected
from dpcore.settings.input import input_definition
from dpcore.settings.read import read_input
from dpcore.settings.schema import input_schema

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "deepmd_examples"

# All keys that DeePMD-kit 3.2.0 checks input files with: defaults, other names, whether they are required.
DEEPMD = json.loads((Path(__file__).parent / "deepmd_keys.json").read_text())

# Parts that are described elsewhere, or of which only what is asked for matters.
FOLDED = {"models", "qm_model", "qmmm_model", "list", "model_dict"}

# Where we differ, and why.
DIFFERENT = {
    "model[dpa4].bridging_method": "nothing means none",
    "model[standard].bridging_method": "nothing means none",
    "model[standard].descriptor[se_a_mask].sel": "the number of atoms is not found from neighbours",
    "model[standard].descriptor[se_atten].lmax": "1 is what no number means",
    "model[standard].descriptor[se_atten_v2].lmax": "1 is what no number means",
    "model[standard].fitting_net[dos].neuron": "n_neuron is understood too",
    "training.mixed_precision.compute_prec": "has a default, the one that DeePMD-kit names",
    "training.training_data": "nothing is trained without it",
}


@pytest.fixture(scope="module")
def validator():
    schema = input_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def sections():
    return described()


def problems(validator, given):
    return [error.message for error in validator.iter_errors(given)]


def test_the_schema_knows_every_example(validator):
    for path in sorted(EXAMPLES.rglob("*.json")):
        given = json.loads(path.read_text())
        try:
            settings = read_input(given).settings
        except DPError:
            assert problems(validator, given), path
            continue
        assert problems(validator, given) == [], path
        assert problems(validator, settings) == [], path


@pytest.mark.parametrize(
    "changes",
    [
        {"trainin": {}},
        {"training.nmub_steps": 3},
        {"training.training_data.sytems": 1},
        {"loss.start_perf_e": 1},
        {"learning_rate.type": "cosine", "learning_rate.smooth": True},
        {"learning_rate.type": "expo"},
        {"model.descriptor.axis_neuro": 1},
        {"model.fitting_net.numb_dos": 1},
        {"model.descriptor.sel": "automatic"},
        {"training.disp_freq": "a"},
        {"training.stat_file_mode": "write"},
        {"training.zero_stage": 3},
        {"model.compress": {"type": "se_e2_a"}},
        {"nvnmd": {"version": 0}},
        {"loss_dict": {}},
    ],
)
def test_the_schema_rejects(validator, changes):
    assert problems(validator, BASE) == []
    assert problems(validator, changed(changes))


def test_the_schema_allows(validator):
    remarks = {"_comment": 1, "training._comment": "x", "model.descriptor._x": []}
    others = {"training.numb_test": 3, "training.training_data.set_prefix": "set"}
    biases = {"model.preset_out_bias": {"energy": [1, None]}, "model.descriptor.sel": "auto:1.5"}
    given = changed(remarks | others | biases) | {"$schema": "input.schema.json"}
    assert problems(validator, given) == []
    read_input(given)


def facts(entry):
    """Return what the definition of a key says that users see."""
    from dargs.dargs import _Flags

    out = {"aliases": sorted(entry.alias)} if entry.alias else {}
    if not entry.optional:
        return out | {"required": True}
    nothing = entry.default is _Flags.NONE or entry.default is None
    return out if nothing else out | {"default": entry.default}


def keys(entry, path):
    """Yield all keys below a section with what is said of them; None for those that are refused."""
    for name, field in entry.sub_fields.items():
        here = f"{path}.{name}"
        yield here, facts(field) if refusal(field) is None else None
        if name not in FOLDED:
            yield from keys(field, here)
    for variant in entry.sub_variants.values():
        tag = variant.default_tag
        yield f"{path}.{variant.flag_name}", {"default": tag} if tag else {"required": True}
        for name, choice in variant.choice_dict.items():
            refused = isinstance(choice.extra_check, Refused)
            also = {"aliases": sorted(choice.alias)} if choice.alias else {}
            yield f"{path}[{name}]", None if refused else also
            yield from keys(choice, f"{path}[{name}]")


def own_keys():
    several = input_definition(several=True).sub_fields
    found = {}
    for entry in (*several.values(), *input_definition().sub_fields.values()):
        found |= dict(keys(entry, entry.name))
    return found


def test_keys_and_defaults_are_those_of_deepmd_kit():
    own, seen = own_keys(), set()
    refused = {path for path, said in own.items() if said is None}
    for path, said in DEEPMD.items():
        # What DeePMD-kit has in common keys we have in those of each kind.
        candidates = [path]
        for section, kind in (
            ("model.", "model[standard]."),
            ("learning_rate.", "learning_rate[exp]."),
        ):
            candidates += [path.replace(section, kind, 1)] if path.startswith(section) else []
        if any(c == r or c.startswith((f"{r}.", f"{r}[")) for c in candidates for r in refused):
            continue
        place = next((c for c in candidates if c in own), None)
        assert place is not None, f"{path} is neither known nor refused"
        if own[place] != {k: v for k, v in said.items() if v is not None}:
            assert place in DIFFERENT, (place, own[place], said)
            seen.add(place)
    assert seen == set(DIFFERENT)


def test_everything_is_described(sections):
    told = {key.name for section in sections for key in section.keys}
    told |= {section.path for section in sections}
    for path in own_keys():
        assert path.rpartition(".")[2].partition("[")[0] in told, path
    for section in sections:
        for key in section.keys:
            assert key.doc or key.name == "type", (section.path, key.name)
            assert key.refused or key.kind, (section.path, key.name)


@pytest.mark.parametrize(
    ("wanted", "paths", "names"),
    [
        ("stop_batch", ["training"], ["numb_steps"]),
        ("training.numb_steps", ["training"], ["numb_steps"]),
        ("learning_rate[wsd]", ["learning_rate[wsd]"], None),
        ("mixed_precision", ["training.mixed_precision"], ["compute_prec", "output_prec"]),
        ("descriptor[dpa3].repflow", ["model[standard].descriptor[dpa3].repflow"], None),
        ("nothing", [], None),
    ],
)
def test_one_key_or_section(sections, wanted, paths, names):
    found = selected(sections, wanted)
    assert [section.path for section in found] == paths
    if names is not None:
        assert [key.name for section in found for key in section.keys] == names


@pytest.mark.parametrize("form", ["text", "rst", "markdown", "json", "json_schema"])
def test_the_command(form, capsys):
    assert main(["doc-train-input", "--out-type", form]) == 0
    text = capsys.readouterr().out
    assert "numb_steps" in text
    assert "stop_batch" in text
    if form.startswith("json"):
        json.loads(text)


def test_the_command_suggests(capsys):
    assert main(["doc-train-input", "training.sede"]) == 1
    assert "did you mean 'training.seed'" in capsys.readouterr().err
    assert main(["doc-train-input", "training", "--out-type", "json_schema"]) == 1
    assert "leave the key out" in capsys.readouterr().err
