"""``se_a_mask``: every atom sees every other that is there, and nothing else."""

import dataclasses as dc

import numpy as np
import pytest
from harness import Backend, assert_close
from test_independent import run_net

from dpcore.descriptors import SeAMask
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.settings import build_model
from examples.se_a_mask import EXAMPLES


def description(d, frame, atom):
    """Return (Σ g rᵀ)(Σ r g<ᵀ)/N² of an atom over all that are there, r = (1/r, d/r²)/dstd."""
    moments, centre = np.zeros((d.neuron[-1], 4)), frame.types[atom]
    there = frame.aparam[:, 0].astype(int) != 0
    for other in range(len(frame.types)):
        kind = frame.types[other]
        if other == atom or not there[atom] or not there[other] or (centre, kind) in d.excluded:
            continue
        vector = frame.coord[other] - frame.coord[atom]
        r = np.linalg.norm(vector)
        # The deviations are those of the first place of a type: all places have the same.
        row = np.array([1.0 / r, *(vector / r**2)]) / d.dstd[centre, 0]
        net = d.nets[kind] if d.type_one_side else d.nets[centre + len(d.sel) * kind]
        moments += np.array(run_net(net, [row[0]]))[:, None] * row
    moments /= sum(d.sel)
    return (moments @ moments[: d.axis_neuron].T).ravel()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_descriptors(example, seed):
    model, frame = example.double(), example.frame(periodic=False, seed=seed)
    # The whole part counts, as in DeePMD-kit.
    frame.aparam[:, 0] = (1.0, 0.0, 1.9, 1.0, 0.9, 1.0, -1.0, 2.0)
    potential = DeepPot.from_document(Document(model), Backend.NUMPY.adapter(), tables=False)
    found = potential.eval_descriptor(
        frame.coord[None], None, frame.types, aparam=frame.aparam[None]
    )
    truth = [description(model.descriptor, frame, atom) for atom in range(len(frame.types))]
    assert_close(found[0], truth, 1e-12)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_masked_atoms_may_be_anywhere(example, predict):
    """They neither feel nor exert forces, even at the place of another, and keep a constant energy."""
    frame = example.frame(periodic=False)
    frame.aparam[2:4, 0] = 0.0
    gone = frame.aparam[:, 0].astype(int) == 0
    moved = frame.coord.copy()
    moved[gone] = frame.coord[~gone][0]
    first, second = predict(example.model, [frame, dc.replace(frame, coord=moved)])
    for key in ("energy", "atom_energy", "force"):
        assert_close(
            second[key], first[key], 1e-13 if example.precision == "float64" else 1e-6, key
        )
    assert np.abs(first["force"][gone]).max() == 0.0
    assert np.abs(first["atom_energy"][gone]).min() > 0.0


def test_all_atoms_may_be_masked(framework, predict):
    frame = EXAMPLES[0].frame(periodic=False)
    none = dc.replace(frame, aparam=np.zeros_like(frame.aparam))
    (found,) = predict(EXAMPLES[0].model, [none], framework)
    assert np.abs(found["force"]).max() == 0.0


def test_there_is_no_cutoff(predict):
    """An atom a hundred times farther is felt a hundred times less, not less than that."""
    example, pulls = EXAMPLES[0], []
    for distance in (40.0, 4000.0):
        frame = example.frame(periodic=False)
        coord = frame.coord.copy()
        coord[-1] = (distance, 0.0, 0.0)
        apart = dc.replace(frame, coord=coord, aparam=np.ones_like(frame.aparam))
        gone = dc.replace(apart, aparam=np.ones_like(frame.aparam))
        gone.aparam[-1] = 0.0
        seen, unseen = predict(example.model, [apart, gone])
        pulls.append(np.abs((seen["atom_energy"] - unseen["atom_energy"])[:-1]).max())
    assert 50.0 < pulls[0] / pulls[1] < 200.0


def test_frames_are_open():
    frame, model = EXAMPLES[0].frame(periodic=False), EXAMPLES[0].model
    potential = DeepPot.from_document(Document(model), Backend.NUMPY.adapter())
    with pytest.raises(DPError, match=r"frame 0: has a periodic cell; .* leave the cell out"):
        potential.evaluate(
            frame.coord[None], np.eye(3)[None] * 9, frame.types, aparam=frame.aparam[None]
        )


def test_two_atoms_at_one_place_are_refused():
    frame, model = EXAMPLES[0].frame(periodic=False), EXAMPLES[0].model
    frame.coord[1] = frame.coord[0]
    aparam = np.ones((1, len(frame.types), 1))
    potential = DeepPot.from_document(Document(model), Backend.NUMPY.adapter())
    with pytest.raises(DPError, match="counted without the masked ones"):
        potential.evaluate(frame.coord[None], None, frame.types, aparam=aparam)


def test_the_mask_is_an_atomic_parameter():
    descriptor = {"type": "se_a_mask", "sel": [3, 4], "neuron": [4]}
    model = {"type_map": ["O", "H"], "descriptor": descriptor, "fitting_net": {"neuron": [2]}}
    with pytest.raises(
        DPError, match=r"fitting_net\.numb_aparam: 0; the descriptor 'se_a_mask' takes 1"
    ):
        build_model(model)


@pytest.mark.parametrize("key", ["rcut", "rcut_smth", "env_protection", "set_davg_zero"])
def test_settings_of_a_cutoff_are_unknown(key):
    descriptor = {"type": "se_a_mask", "sel": [3, 4], key: 1.0}
    fitting = {"numb_aparam": 1, "use_aparam_as_mask": True}
    with pytest.raises(DPError, match=key):
        build_model({"type_map": ["O", "H"], "descriptor": descriptor, "fitting_net": fitting})
    with pytest.raises(DPError, match=rf"descriptor\.{key}: se_a_mask has no cutoff"):
        SeAMask.create(np.random.default_rng(0), sel=(3, 4), **{key: 0.25})
