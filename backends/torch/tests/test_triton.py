"""The Triton kernels, run by Triton's interpreter on the CPU and compiled for a GPU that need not be there.

Triton decides on import whether it interprets, so this file runs itself in processes of their own.
"""

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

# In a folder of its own: beside TensorFlow in one process Triton's compiler crashes.
TRITON = Path(__file__).parents[3] / ".venv" / "triton"


@pytest.fixture(scope="module", autouse=True)
def _triton():
    if not (TRITON / "triton").is_dir():
        missing = f"pip install --no-deps --target {TRITON} triton"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


KERNELS = ("prepare", "sums", "first", "second")
RESULTS = ("moments", "first", "by_displacement", "by_weight")
TOLERANCE = {"float64": 1e-13, "float32": 1e-5}


@dataclass(frozen=True)
class Case:
    """Random tables and neighbours; a group is centres and the width of the block of each type."""

    width: int
    groups: tuple[tuple[int, tuple[int, ...]], ...]
    segments: int = 1
    excluded: tuple[int, ...] = ()
    radii: tuple[float, float, float] = (1.5, 4.0, 0.1)
    distances: tuple[float, float] = (0.9, 4.2)


CASES = {
    "one feature": Case(1, ((3, (4, 2)), (2, (3, 5)))),
    "padded features": Case(13, ((3, (4, 2)), (2, (3, 5)))),
    "two segments": Case(8, ((2, (11, 9)), (1, (10, 1))), segments=2),
    "many features": Case(100, ((2, (5, 3)),), segments=2),
    "many neighbours": Case(8, ((1, (70, 33)),), segments=2),
    "one edge": Case(5, ((1, (1,)),)),
    "excluded": Case(3, ((3, (4, 2)), (2, (3, 5))), excluded=(1, 2)),
    "no neighbours": Case(3, ((2, (0, 0)),)),
    "no centres": Case(3, ((0, (4, 2)),)),
    "a type without centres": Case(3, ((2, (1, 2, 2)), (0, (3, 5, 1)), (2, (2, 0, 3)))),
    "no protection": Case(4, ((3, (6, 6)),), radii=(0.5, 4.0, 0.0)),
    "beyond the tables": Case(4, ((4, (6, 6)),), segments=2, distances=(0.15, 4.0)),
}


# The definition


def problem(case, dtype):
    """Return what the operators take, and the tables that it was made of."""
    from dpcore.fused.moments import FusedMoments, PairSettings
    from dpcore.fused.table import Table, TabulatedNet

    rng = np.random.default_rng(len(case.groups) + case.width)
    types = len(case.groups[0][1])
    most = max([0, *(k for _, widths in case.groups for k in widths)])

    def table(lower, stride, intervals):
        knots = rng.normal(size=(intervals + 1, 3, case.width)).astype(dtype)
        return Table(lower=lower, stride=stride, knots=knots)

    def net():
        near = table(-0.1, 0.11, 6)
        return TabulatedNet(segments=(near, table(near.upper, 0.3, 4))[: case.segments])

    nets = tuple(net() for _ in range(types))
    pairs = [
        PairSettings(
            net=number % types,
            mean=rng.uniform(0.1, 0.3, 4),
            scale=rng.uniform(0.5, 1.0, 4),
            input_scale=rng.uniform(1.0, 2.0),
            empty=number * (most + 1),
            excluded=number in case.excluded,
        )
        for number in range(types * types)
    ]
    empty = rng.normal(size=(types * types * (most + 1), 4, case.width)).astype(dtype)
    fused = FusedMoments.create(
        nets, pairs, ("table",), empty,
        rcut=case.radii[1], rcut_smth=case.radii[0], protection=case.radii[2], ntypes=types,
    )  # fmt: skip
    assert fused is not None
    sizes, count, first = [case.width, 0], [], 0
    for kind, (centres, widths) in enumerate(case.groups):
        for t, k in enumerate(widths):
            sizes += [centres, k, kind * types + t, first]
            count.append(
                rng.integers(0, k + 1, centres) if centres * k > 1 else np.full(centres, k)
            )
        first += centres
    edges = sum(centres * k for centres, widths in case.groups for k in widths)
    unit = rng.normal(size=(edges, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return SimpleNamespace(
        displacement=(unit * rng.uniform(*case.distances, (edges, 1))).astype(dtype),
        weight=np.asfortranarray(rng.normal(size=(first, 4, case.width)).astype(dtype)),
        direction=np.asfortranarray(rng.normal(size=(edges, 3)).astype(dtype)),
        count=count,
        arrays=[fused.pairs, fused.data, fused.empty],
        sizes=sizes,
        radii=list(case.radii),
        embedding="table",
        nets=[nets[pair.net] for pair in pairs],
        pairs=pairs,
    )


def blocks(given):
    """Yield pair, network, first centre, neighbours and the edges of each block."""
    edge = 0
    rows = np.reshape(given.sizes[2:], (-1, 4))
    for (centres, k, number, first), count in zip(rows, given.count, strict=True):
        real = np.arange(k) < count[:, None]
        edges = slice(edge, edge := edge + centres * k)
        yield given.pairs[number], given.nets[number], slice(first, first + centres), real, edges


def definition(given, displacement):
    """Return the moments of all centres, by the array code."""
    import torch

    from dpcore.descriptors.environment import environment_matrix
    from dpcore.tree import map_arrays

    def wide(x):
        return torch.as_tensor(x, dtype=torch.float64)

    smooth, cutoff, protection = given.radii
    width = given.sizes[0]
    out = torch.zeros((len(given.weight), 4, width), dtype=torch.float64)
    for pair, net, centres, real, edges in blocks(given):
        out[centres] += wide(given.arrays[2][pair.empty + np.sum(real, 1)])
        if real.size and not pair.excluded:
            rows = environment_matrix(displacement[edges], smooth, cutoff, protection)
            inputs = (rows[:, :1] - pair.mean[0]) * pair.input_scale
            features = map_arrays(wide, net)(inputs).reshape(*real.shape, width)
            rows = (rows - wide(pair.mean)) * wide(pair.scale)
            rows = rows.reshape(*real.shape, 4) * wide(real)[:, :, None]
            out[centres] += rows.transpose(1, 2) @ features
    return out


def expected(given):
    """Return the moments and their derivatives."""
    import torch

    import dpcore_torch.namespace  # noqa: F401  # registers the function set

    displacement, weight, direction = (
        torch.tensor(x, dtype=torch.float64, requires_grad=True)
        for x in (given.displacement, given.weight, given.direction)
    )
    moments = definition(given, displacement)
    if not moments.requires_grad:
        return [x.detach().numpy() for x in (moments, 0 * direction, 0 * direction, 0 * weight)]
    (first,) = torch.autograd.grad(torch.sum(moments * weight), displacement, create_graph=True)
    second = torch.autograd.grad(torch.sum(first * direction), (displacement, weight))
    return [x.detach().numpy() for x in (moments, first, *second)]


# The kernels, in processes of their own


def in_process(task, folder, given, **environment):
    """Return what a task of this file makes of what it is given."""
    files = [folder / name for name in ("given", "results")]
    files[0].write_bytes(pickle.dumps(given))
    done = subprocess.run(
        [sys.executable, __file__, task, *map(str, files)],
        env={**os.environ, "PYTHONPATH": str(TRITON), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return pickle.loads(files[1].read_bytes())


def evaluate(given):
    """Return the moments and their derivatives, on the CPU."""
    import torch

    from dpcore_torch import triton_moments

    def tensors(arrays):
        return [torch.from_numpy(x) for x in arrays]

    displacement, weight, direction = tensors([given.displacement, given.weight, given.direction])
    rest = (tensors(given.count), tensors(given.arrays), given.sizes, given.radii, given.embedding)
    return [
        x.numpy()
        for x in (
            triton_moments.moments(displacement, *rest),
            triton_moments.first(displacement, weight, *rest),
            *triton_moments.second(displacement, weight, direction, *rest),
        )
    ]


def interpreted(problems):
    """Return the results of all problems."""
    return {key: evaluate(given) for key, given in problems.items()}


class Compiling:
    """A kernel that is compiled instead of being launched."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.code = []

    def __getitem__(self, grid):
        def launch(*args, **settings):
            ready = self.kernel.warmup(*args, grid=grid, **settings)
            self.code.append(ready.asm["ptx"])

        return launch


def compiled(problems):
    """Return the code of each kernel for some problems, and what the operators do on a GPU."""
    import torch
    from triton.backends.compiler import GPUTarget
    from triton.runtime import driver

    from dpcore_torch import triton_moments

    # The driver of a GPU that is not there.
    driver.set_active(
        SimpleNamespace(
            get_current_target=lambda: GPUTarget("cuda", 80, 32),
            get_current_device=lambda: 0,
            get_current_stream=lambda _device: 0,
            get_active_torch_device=lambda: torch.device("cpu"),
        )
    )
    code = {}
    for key, given in problems.items():
        kernels = {name: Compiling(getattr(triton_moments.device, name)) for name in KERNELS}
        with mock.patch.multiple(triton_moments.device, **kernels):
            evaluate(given)
        code[key] = {name: kernel.code for name, kernel in kernels.items()}
    registered = [
        torch._C._dispatch_has_kernel_for_dispatch_key(f"dpcore::{name}", "CUDA")
        for name in ("moments", "moments_first", "moments_second")
    ]
    message = refusal(SimpleNamespace(**{**vars(given), "embedding": "net"}))
    return SimpleNamespace(code=code, registered=registered, refusal=message)


def refusal(given):
    """Return what the kernels say to what they do not know."""
    try:
        evaluate(given)
    except NotImplementedError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def problems():
    return {
        (name, dtype): problem(case, dtype) for name, case in CASES.items() for dtype in TOLERANCE
    }


@pytest.fixture(scope="module")
def found(problems, tmp_path_factory):
    return in_process(
        "interpreted", tmp_path_factory.mktemp("triton"), problems, TRITON_INTERPRET="1"
    )


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_definition(problems, found, name, dtype):
    for result, x, y in zip(
        RESULTS, found[name, dtype], expected(problems[name, dtype]), strict=True
    ):
        assert x.dtype == dtype
        scale = np.max(np.abs(y), initial=1.0)
        np.testing.assert_allclose(x, y, rtol=0, atol=TOLERANCE[dtype] * scale, err_msg=result)


def test_cases_reach_everywhere(problems):
    from dpcore.descriptors.environment import environment_matrix

    given = problems["beyond the tables", "float64"]
    inputs = [
        (rows[real.ravel(), 0] - pair.mean[0]) * pair.input_scale
        for pair, _, _, real, edges in blocks(given)
        for rows in [environment_matrix(given.displacement[edges], *given.radii)]
    ]
    near, far = given.nets[0].segments
    places = np.searchsorted([near.lower, far.lower, far.upper], np.concatenate(inputs))
    assert set(places) == {0, 1, 2, 3}


@pytest.fixture(scope="module")
def for_gpu(problems, tmp_path_factory):
    folder = tmp_path_factory.mktemp("triton")
    given = {dtype: problems["many features", dtype] for dtype in TOLERANCE}
    return in_process("compiled", folder, given, TRITON_CACHE_DIR=str(folder), TRITON_INTERPRET="0")


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_code_for_a_gpu(for_gpu, dtype):
    code = for_gpu.code[dtype]
    assert {name: len(orders) for name, orders in code.items()} == {
        "prepare": 2,
        "sums": 2,
        "first": 1,
        "second": 1,
    }
    several = {"float64": "ld.global.v2.b64", "float32": "ld.global.v4.b32"}[dtype]
    for name, orders in code.items():
        for assembly in orders:
            assert ".approx" not in assembly, name
            assert "div.full" not in assembly, name
            assert dtype == "float32" or ".f32" not in assembly, name
            assert name == "prepare" or several in assembly, name


def test_operators_have_kernels_for_cuda(for_gpu):
    assert for_gpu.registered == [True] * 3


def test_nets_are_refused(for_gpu):
    assert "tables" in for_gpu.refusal
    assert "'net'" in for_gpu.refusal


if __name__ == "__main__":
    task, source, target = sys.argv[1:]
    given = pickle.loads(Path(source).read_bytes())
    Path(target).write_bytes(pickle.dumps(globals()[task](given)))
