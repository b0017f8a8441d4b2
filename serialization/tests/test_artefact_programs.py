"""The programs in compiled files, given inputs made by hand from their description, as other software does."""

import zipfile

import numpy as np
from artefact_kinds import MODEL, RNG, SEL, TOLERANCE, cluster
from example_models import RCUT
from harness import Backend, assert_close

from dpcore.infer.signature import signature

# The order of outputs that have no names.
OUTPUTS = ("energy", "atom_energy", "force", "virial", "atom_virial")


def test_signature():
    expected = [(f"groups.{a}.place", "int64", (f"n{a}",)) for a in (0, 1)]
    for a in (0, 1):
        for b, k in ((0, f"k0_{a}_0"), (1, 1)):
            block = f"views.0.blocks.{a}.{b}"
            expected.append((f"{block}.displacement", "float64", (f"n{a}", k, 3)))
            expected.append((f"{block}.index", "int64", (f"n{a}", k)))
            expected.append((f"{block}.count", "int64", (f"n{a}",)))
    expected.append(("frame", "int64", ("atoms",)))
    expected.append(("natoms", "int64", ("frames",)))
    expected.append(("types", "int64", ("atoms",)))
    expected.append(("fparam", "float64", ("frames", 2)))
    expected.append(("aparam", "float64", ("atoms", 1)))
    found = [(i.path, i.name, i.dtype, i.axes) for i in signature(MODEL).inputs]
    assert found == [(path, path.replace(".", "_"), *rest) for path, *rest in expected]
    assert signature(MODEL).limits == {"k0_0_0": SEL[0], "k0_1_0": SEL[0]}


def by_hand(coord, types, fparam, aparam, *, centres, spare):
    """Return the inputs for an open frame, atoms in any order, with ``spare`` rows of padding everywhere."""
    padding = 1 + spare
    out = {"frame": np.r_[np.zeros(len(types), int), np.full(padding, padding)]}
    out["types"] = np.r_[types, np.zeros(padding, int)]
    out["natoms"] = np.r_[len(types), np.zeros(padding, int)]
    out["fparam"] = np.vstack([fparam, np.full((padding, 2), 7.0)])
    out["aparam"] = np.vstack([aparam, np.full((padding, 1), 7.0)])
    for a in (0, 1):
        members = [i for i in centres if types[i] == a]
        rows = max(len(members), 2) + spare
        place = np.full(rows, len(types) + spare)
        place[: len(members)] = members
        out[f"groups.{a}.place"] = place
        for b in (0, 1):
            out |= block_by_hand(
                f"views.0.blocks.{a}.{b}", coord, types == b, members, rows, SEL[b]
            )
    return out


def block_by_hand(path, coord, chosen, members, rows, sel):
    width = min(rows + 2, sel)
    displacement = np.zeros((rows, width, 3))
    displacement[..., 0] = RCUT
    index, count = np.zeros((rows, width), int), np.zeros(rows, int)
    for row, i in enumerate(members):
        distance = np.linalg.norm(coord - coord[i], axis=1)
        near = [j for j in np.argsort(distance) if chosen[j] and 0 < distance[j] < RCUT][:sel]
        count[row] = len(near)
        for k, j in enumerate(near):
            displacement[row, k], index[row, k] = coord[j] - coord[i], j
    return {f"{path}.displacement": displacement, f"{path}.index": index, f"{path}.count": count}


def torch_program(artefact):
    import torch
    from torch.export.pt2_archive._package import load_pt2

    if artefact.kind.cpp:
        program = torch._inductor.aoti_load_package(str(artefact.path))
    else:
        program = load_pt2(str(artefact.path)).exported_programs["model"].module()

    def run(inputs):
        given = [torch.from_numpy(inputs[item.path]) for item in signature(MODEL).inputs]
        return dict(zip(OUTPUTS, program(*given), strict=True))

    return run


def tensorflow_program(artefact):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(artefact.path))

    def run(inputs):
        given = {name.replace(".", "_"): tf.constant(x) for name, x in inputs.items()}
        return loaded.signatures["serving_default"](**given)

    return run


def jax_program(artefact):
    import jax

    with zipfile.ZipFile(artefact.path) as file:
        blob = bytearray(file.read("model.bin"))

    def run(inputs):
        with jax.enable_x64(True):
            return jax.export.deserialize(blob).call(inputs)

    return run


PROGRAMS = {
    Backend.TORCH: torch_program,
    Backend.TENSORFLOW: tensorflow_program,
    Backend.JAX: jax_program,
}


def test_inputs_made_by_hand(artefact):
    """Whole frames with different padding, and parts of a frame that add up to the whole."""
    coord, types = cluster(7, 2.0)[0], np.array([1, 0, 0, 1, 0, 1, 0])
    given = (coord, types, RNG.normal(size=2), RNG.normal(size=(7, 1)))
    expected = artefact.reference.evaluate(coord, None, *given[1:])
    run = PROGRAMS[artefact.kind.backend](artefact)

    def outputs(centres, spare):
        found = run(by_hand(*given, centres=centres, spare=spare))
        assert found.keys() == set(OUTPUTS)
        per_frame = ("energy", "virial")
        values = {name: np.asarray(found[name]) for name in OUTPUTS}
        return {n: (x[0] if n in per_frame else x[:7]).ravel() for n, x in values.items()}

    parts = [outputs(centres, 2) for centres in ([6, 4, 5], [0, 1, 2, 3])]
    together = {name: parts[0][name] + parts[1][name] for name in OUTPUTS}
    for result in (outputs(range(7), 0), outputs([6, 5, 4, 3, 2, 1, 0], 3), together):
        for name, value in result.items():
            assert_close(value, expected[name].ravel(), TOLERANCE, name)
