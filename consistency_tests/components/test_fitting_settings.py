"""Settings of fittings that mean the same, and those that mean nothing."""

import dataclasses as dc

import numpy as np
import pytest

from dpcore.errors import DPError
from dpcore.fittings import FITTINGS
from dpcore.settings import build_model
from examples import dipole, polar
from examples.dipole import SMALL
from examples.example import standard

FOO = {"type": "property", "property_name": "foo"}
MASK = {"numb_aparam": 1, "use_aparam_as_mask": True}

REFUSED = [
    ({"type": "dipole", "sel_type": (0, 2)}, "fitting_net.sel_type: there is no type 2"),
    ({"type": "dipole", "sel_type": ()}, "fitting_net.sel_type: no type has a dipole"),
    ({"type": "polar", "scale": (1.0, 2.0, 3.0)}, "fitting_net.scale: 3 factors for 2 types"),
    ({"type": "polar", "exclude_types": (5,)}, "fitting_net.exclude_types: there is no type 5"),
    ({"type": "dipole"} | MASK, "fitting_net.use_aparam_as_mask: .*dipole"),
    ({"type": "polar"} | MASK, "fitting_net.use_aparam_as_mask: .*polar"),
    ({"type": "dos"} | MASK, "fitting_net.use_aparam_as_mask: .*dos"),
    (FOO | MASK, "fitting_net.use_aparam_as_mask: .*property"),
    ({"type": "dos", "numb_dos": 0}, "fitting_net.numb_dos: 0"),
    ({"type": "dos", "numb_dos": -1}, "fitting_net.numb_dos: -1"),
    (FOO | {"task_dim": 0}, "fitting_net.task_dim: 0"),
    ({"type": "property"}, "fitting_net.property_name: .*needs one"),
    ({"numb_dos": 3}, "fitting_net.numb_dos: .*'ener' has no such setting"),
    (FOO | {"property_name": "a b"}, "fitting_net.property_name: 'a b'"),
    (FOO | {"property_name": ""}, "fitting_net.property_name: ''"),
    (FOO | {"property_name": "mask"}, "fitting_net.property_name: 'mask'"),
    ({"atom_ener": (1.0, 2.0, 3.0)}, "fitting_net.atom_ener: 3 energies for 2 types"),
    ({"layer_name": ("a", None, None)}, "fitting_net.layer_name"),
    ({"use_aparam_as_mask": True}, "fitting_net.use_aparam_as_mask: .*numb_aparam"),
    ({"numb_fparam": -1}, "fitting_net.numb_fparam: -1"),
    ({"dim_case_embd": -1}, "fitting_net.dim_case_embd: -1"),
    ({"neuron": (5, 0)}, "fitting_net.neuron: 0"),
    ({"trainable": (True,)}, "fitting_net.trainable: 1 flags for 3 layers"),
    ({"default_fparam": (1.0,)}, "fitting_net.default_fparam: 1 values for numb_fparam = 0"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(DPError, match=message) as error:
        standard("refused", SMALL, settings)
    assert "\n" not in str(error.value)


def test_tensors_need_vectors_that_turn():
    """Refused when a fitting is drawn, and when it meets another descriptor than it was drawn for."""
    for example in (*dipole.EXAMPLES, *polar.EXAMPLES):
        model = example.model
        with pytest.raises(DPError, match=r"fitting_net\.type: .* descriptor\.type"):
            FITTINGS[model.fitting.type_name].create(np.random.default_rng(0), ntypes=2, width=6)
        with pytest.raises(DPError, match=r"fitting_net\.type: .* descriptor\.type") as error:
            model.fitting.check_descriptor(without_vectors(model.descriptor))
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("radial", ["se_e2_r", "se_e3", "se_e3_tebd"])
def test_tensors_of_radial_descriptors_are_refused(radial):
    settings = section(type="dipole")
    settings["descriptor"] = {"type": radial, "sel": [4, 4], "neuron": [2, 4], "seed": 1}
    with pytest.raises(DPError, match=r"fitting_net\.type: 'dipole' .* descriptor\.type"):
        build_model(settings)


def without_vectors(descriptor):
    class Radial(type(descriptor)):
        frame_width = 0

    return Radial(**{f.name: getattr(descriptor, f.name) for f in dc.fields(descriptor)})


def test_networks_of_another_width_are_refused():
    model = dipole.EXAMPLES[0].model
    wider = standard("wider", SMALL | {"neuron": (4, 8)}).model.descriptor
    with pytest.raises(DPError, match=r"fitting\.nets\.0: from \d+ to 6; .* to 8"):
        model.with_(descriptor=wider)


def section(**fitting):
    return {
        "type_map": ["O", "H"],
        "descriptor": {**SMALL, "sel": [10, 12], "neuron": [3, 6], "seed": 1},
        "fitting_net": {"neuron": [5], "seed": 1, **fitting},
    }


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("dipole", "sel_type"),
        ("dipole", "dipole_type"),
        ("polar", "sel_type"),
        ("polar", "pol_type"),
    ],
)
@pytest.mark.parametrize("selected", [1, [1]])
def test_selected_types_say_which_are_excluded(kind, key, selected):
    model = build_model(section(type=kind, **{key: selected}))
    assert model.fitting.exclude_types == (0,)
    assert model.atom_exclude_types == (0,)


def test_defaults():
    model = build_model(section(type="dos"))
    assert (model.fitting.numb_dos, model.fitting.precision) == (300, "float64")
    assert build_model(section(type="polar")).fitting.scale == (1.0, 1.0)
    assert build_model(section(type="polar", scale=[2.0, 3])).fitting.scale == (2.0, 3.0)
    model = build_model(section(type="property", property_name="foo"))
    settings = ("task_dim", "intensive", "distinguish_types")
    assert [getattr(model.fitting, key) for key in settings] == [1, False, True]


@pytest.mark.parametrize("kind", ["dipole", "polar", "dos"])
def test_keys_of_other_fittings_are_refused(kind):
    with pytest.raises(DPError, match="property_name"):
        build_model(section(type=kind, property_name="foo"))


def test_a_property_needs_a_name():
    with pytest.raises(DPError, match="property_name"):
        build_model(section(type="property"))
