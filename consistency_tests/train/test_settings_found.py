"""What input files leave to the data, against numbers worked out by hand."""

from types import SimpleNamespace

import pytest
from train_inputs import changed

from dpcore.errors import DPError
from dpcore.settings.found import cutoffs, open_numbers, too_small, with_found
from dpcore.settings.read import read_input


def section(**model):
    """Return a complete model section."""
    return (
        read_input(changed({f"model.{key}": value for key, value in model.items()}))
        .branches[0]
        .model
    )


def crowd(*by_type):
    return SimpleNamespace(by_type=by_type, total=sum(by_type) - 1)


@pytest.mark.parametrize(
    ("given", "most", "found"),
    [
        # 10 · 1.1 = 11 and 41 · 1.1 = 45.1, of which the whole part goes up to a multiple of 4.
        ("auto", (10, 41), [12, 48]),
        ("auto:1", (12, 13), [12, 16]),
        ("auto:2.0", (0, 3), [0, 8]),
        ([3, 4], (9, 9), [3, 4]),
    ],
)
def test_numbers_of_each_type(given, most, found):
    model = section(descriptor={"type": "se_e2_a", "sel": given, "rcut": 5.0})
    assert cutoffs(model) == [5.0]
    assert open_numbers(model) == (["model.descriptor.sel"] if isinstance(given, str) else [])
    assert with_found(model, (), {5.0: crowd(*most)})["descriptor"]["sel"] == found
    assert model["descriptor"]["sel"] == given


def test_numbers_of_all_types_together():
    model = section(descriptor={"type": "se_atten"})
    assert with_found(model, (), {6.0: crowd(10, 41)})["descriptor"]["sel"] == 56


def test_numbers_of_messages():
    near = {"rcut": 4.0, "rcut_smth": 3.5, "nsel": "auto", "use_three_body": True}
    near |= {"three_body_sel": "auto:1", "three_body_rcut": 3.0}
    far = {"rcut": 2.0, "rcut_smth": 1.5, "nsel": 7}
    model = section(descriptor={"type": "dpa2", "repinit": near, "repformer": far})
    crowds = {4.0: crowd(50, 51), 3.0: crowd(10, 11), 2.0: crowd(5, 5)}
    assert cutoffs(model) == sorted(crowds)
    found = with_found(model, (), crowds)["descriptor"]
    numbers = (
        found["repinit"]["nsel"],
        found["repinit"]["three_body_sel"],
        found["repformer"]["nsel"],
    )
    assert numbers == (112, 20, 7)
    (line,) = too_small(model, crowds)
    where = "model.descriptor.repformer.nsel"
    assert line.startswith(f"{where}: 7 is too small: atoms have up to 9 neighbours within 2 Å; ")


def test_numbers_of_edges():
    flow = {
        f"{kind}_{key}": value
        for kind in "ea"
        for key, value in (("rcut_smth", 1.0), ("sel", "auto"))
    }
    flow |= {"e_rcut": 4.0, "a_rcut": 2.0}
    model = section(descriptor={"type": "dpa3", "repflow": flow})
    found = with_found(model, (), {4.0: crowd(20, 21), 2.0: crowd(4, 5)})["descriptor"]["repflow"]
    assert (found["e_sel"], found["a_sel"]) == (44, 8)


def test_numbers_of_children_and_parts():
    children = [{"type": "se_e2_a", "sel": "auto"}, {"type": "se_e2_r", "sel": [0, 2], "rcut": 3.0}]
    part = {"descriptor": {"type": "hybrid", "list": children}, "fitting_net": {}}
    whole = {"type": "linear_ener", "models": [part], "weights": [1.0], "type_map": ["O", "H"]}
    model = read_input(changed({"model": whole})).branches[0].model
    crowds = {6.0: crowd(8, 8), 3.0: crowd(3, 3)}
    found = with_found(model, (), crowds)["models"][0]["descriptor"]["list"]
    assert [child["sel"] for child in found] == [[8, 8], [0, 2]]
    # 0 leaves the oxygens out on purpose.
    (line,) = too_small(model, crowds)
    assert line.startswith(
        "model.models.0.descriptor.list.1.sel: 2 is too small: atoms have up to 3 "
    )


def test_nothing_to_be_found():
    for descriptor in ({"type": "dpa4"}, {"type": "se_a_mask", "sel": [3, 3]}):
        assert cutoffs(section(descriptor=descriptor)) == []


def test_names_of_types():
    given = changed({})
    del given["model"]["type_map"]
    model = read_input(given).branches[0].model
    assert with_found(model, ("C", "N"), {})["type_map"] == ["C", "N"]
    with pytest.raises(DPError, match=r"^model\.type_map: missing, and the data"):
        with_found(model, (), {})
