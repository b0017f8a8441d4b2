"""The descriptor kernels against their definition in plain NumPy."""

import dataclasses as dc
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from moment_cases import CASES, Block, Layer, Net, Pair, System, Table, table

import dpcore_kernels
from dpcore_kernels import Library, library

KERNELS = library.moments
BY_NAME = {case.name: case for case in CASES}
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def assert_close(found, expected, tolerance):
    """Compare relative to the largest number."""
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    scale = max(np.abs(expected).max(initial=0.0), 1e-3)
    assert np.abs(found - expected).max(initial=0.0) <= tolerance * scale


def evaluated(made, displacement, weight, direction, kernels=KERNELS):
    """Return all that the kernels give: moments, slope, the two second derivatives, and those by data."""
    problem = made.problem(displacement)
    found = [kernels.moments(problem), kernels.first(problem, weight)]
    found += kernels.second(problem, weight, direction)
    if problem.embedding == "series":
        found += [kernels.learn(problem, weight), *kernels.learn_first(problem, weight, direction)]
    return found


def defined(made, displacement, weight, direction):
    """Return the same by definition, from double precision."""
    d, v = (np.nan_to_num(x.astype(float), nan=2.0) for x in (displacement, direction))
    w, v = weight.astype(float), v * made.real()[:, None]
    return [made.moments(d), made.first(d, w), *made.second(d, w, v)]


@EVERY
def test_double_precision(case):
    given = case.make()
    tolerances = (1e-13, 1e-13, 1e-9, 1e-13)
    for found, expected, tolerance in zip(
        evaluated(*given)[:4], defined(*given), tolerances, strict=True
    ):
        assert_close(found, expected, tolerance)


@EVERY
def test_single_precision(case):
    given = case.make(np.float32)
    tolerances = (3e-6, 2e-5, 2e-4, 2e-5)
    for found, expected, tolerance in zip(
        evaluated(*given)[:4], defined(*given), tolerances, strict=True
    ):
        assert found.dtype == np.float32
        assert_close(found, expected, tolerance)


@EVERY
def test_derivatives_are_those_of_the_kernels(case):
    """Central differences of the kernels themselves."""
    made, displacement, weight, direction = case.make()
    h = 1e-5
    v = np.where(made.real()[:, None], direction, 0.0)
    ends = [made.problem(displacement + x * v) for x in (h, -h)]
    problem = made.problem(displacement)
    slope = KERNELS.first(problem, weight)
    sums = [(KERNELS.moments(end) * weight).sum() for end in ends]
    scale = max(1.0, abs(slope).sum())
    assert abs((slope * v).sum() - (sums[0] - sums[1]) / (2 * h)) <= 1e-8 * scale
    by_displacement, by_weight = KERNELS.second(problem, weight, direction)
    slopes = [KERNELS.first(end, weight) for end in ends]
    assert_close(by_displacement, (slopes[0] - slopes[1]) / (2 * h), 1e-6)
    rates = [KERNELS.moments(end) for end in ends]
    assert_close(by_weight, (rates[0] - rates[1]) / (2 * h), 1e-6)


OF_SERIES = pytest.mark.parametrize(
    "case", [case for case in CASES if case.name.startswith("series")], ids=lambda case: case.name
)


@OF_SERIES
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 2e-5)])
def test_derivatives_by_the_data_of_series(case, dtype, tolerance):
    """All is linear in the data: their derivatives times other data are what these data give."""
    made, displacement, weight, direction = case.make(dtype)
    problem = made.problem(displacement)
    rng = np.random.default_rng(2)
    others = rng.normal(size=(3, len(problem.data))).astype(dtype)
    v = np.where(made.real()[:, None], direction, 0.0)
    learned = KERNELS.learn(problem, weight)
    by_weight, by_data = KERNELS.learn_first(problem, weight, direction)
    for other in others:
        given = dc.replace(problem, data=other, empty=np.zeros_like(problem.empty))
        wide = [x.astype(float) for x in (other, learned, by_data)]
        sums = np.array(
            [
                (KERNELS.moments(given).astype(float) * weight).sum(),
                (KERNELS.first(given, weight).astype(float) * v).sum(),
            ]
        )
        size = np.sqrt(len(other)) * np.abs(wide[1:]).max() + 1e-3
        assert_close(
            np.array([wide[0] @ wide[1], wide[0] @ wide[2]]) / size, sums / size, tolerance
        )
    # The largest products are those of data that no sum of others hides.
    assert_close(
        by_weight,
        made.second(*(x.astype(float) for x in (np.nan_to_num(displacement, nan=2.0), weight, v)))[
            1
        ],
        tolerance,
    )


def test_series_end_where_they_end():
    made, displacement, *_ = BY_NAME["series-8"].make()
    problem = made.problem(displacement)
    near = problem.displacement * 0.0 + [0.1, 0.0, 0.0]
    found = KERNELS.moments(dc.replace(problem, displacement=near))
    counts = sum(block.count for block in made.groups[0])
    np.testing.assert_array_equal(np.isnan(found[: len(counts)]).all(axis=(1, 2)), counts > 0)


@pytest.mark.parametrize("name", ["table-7", "net-1"])
def test_derivatives_by_other_data_are_refused(name):
    made, displacement, weight, direction = BY_NAME[name].make()
    problem = made.problem(displacement)
    with pytest.raises(ValueError, match="refuse"):
        KERNELS.learn(problem, weight)
    with pytest.raises(ValueError, match="refuse"):
        KERNELS.learn_first(problem, weight, direction)


def test_series_beyond_the_data_are_refused():
    made, displacement, *_ = BY_NAME["series-8"].make()
    problem = made.problem(displacement)
    for column, wrong in ((11, -8.0), (11, 1e6), (14, 0.0), (14, 1e9), (14, np.nan)):
        pairs = problem.pairs.copy()
        pairs[0, column] = wrong
        with pytest.raises(ValueError, match="refuse"):
            KERNELS.moments(dc.replace(problem, pairs=pairs))


@EVERY
def test_padding_has_no_slope_and_does_not_matter(case):
    made, displacement, weight, direction = case.make()
    found = evaluated(made, displacement, weight, direction)
    padding = ~made.real()
    assert not found[1][padding].any()
    assert not found[2][padding].any()
    displacement[padding], direction[padding] = 1e300, -np.inf
    for new, old in zip(evaluated(made, displacement, weight, direction), found, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("two", [False, True], ids=["one", "two"])
def test_knots_ends_and_beyond(dtype, two):
    """At places that rounding does not move: knots are multiples of 1/8."""
    rng = np.random.default_rng(3)
    embedding = table(rng, 4, two=two, lower=0.25, upper=2.5)
    segments = [dc.replace(s, stride=0.125) for s in embedding.segments]
    if two:
        segments[1] = dc.replace(segments[1], lower=0.25 + 7 * 0.125)
    pair = Pair(
        Table(segments), np.zeros(4), np.ones(4), 1.0, excluded=False, empty=np.zeros((2, 4, 4))
    )
    upper = segments[-1].lower + 0.125 * (len(segments[-1].knots) - 1)
    inputs = np.array([0.0625, 0.25, 0.3125, 0.5, 1.125, 1.25, 1.3125, upper, upper + 0.1, 64.0])
    made = System(4, [pair], [[Block(0, np.ones(len(inputs), np.int64), 1)]], rcut_smth=3.9)
    # Within rcut_smth the radial component is 1/r; that of 1/16 is beyond and weighted down.
    displacement = (1.0 / inputs)[:, None] * np.array([[1.0, 0.0, 0.0]])
    given = displacement.astype(dtype), rng.normal(size=(len(inputs), 4, 4)).astype(dtype)
    problem = made.problem(given[0])
    assert_close(
        KERNELS.moments(problem), made.moments(given[0].astype(float)),
        1e-14 if dtype == np.float64 else 2e-6,
    )  # fmt: skip
    assert_close(
        KERNELS.first(problem, given[1]),
        made.first(given[0].astype(float), given[1].astype(float)),
        1e-12 if dtype == np.float64 else 2e-5,
    )


def tanh_of(x, dtype):
    """Return the hyperbolic tangent by a net of one layer: a neighbour at 1 Å has the row (1, 1, 0, 0)."""
    one = Net([Layer(np.zeros((1, len(x))), x, None, residual=False)])
    empty = np.zeros((2, 4, len(x)))
    pair = Pair(one, np.zeros(4), np.ones(4), 1.0, excluded=False, empty=empty)
    made = System(len(x), [pair], [[Block(0, np.array([1]), 1)]], rcut_smth=2.0)
    return KERNELS.moments(made.problem(np.array([[1.0, 0.0, 0.0]], dtype)))[0, 0]


@pytest.mark.parametrize(
    ("dtype", "lowest", "tolerance"), [(np.float64, -307.0, 1e-14), (np.float32, -37.0, 5e-7)]
)
def test_tanh(dtype, lowest, tolerance):
    rng = np.random.default_rng(5)
    x = np.concatenate([10.0 ** np.linspace(lowest, 2.85, 3000), rng.uniform(0.0, 22.0, 3000)])
    x = np.concatenate([x, -x]).astype(dtype).astype(float)
    found, exact = tanh_of(x, dtype), np.tanh(x.astype(np.longdouble))
    assert np.abs(found / exact - 1.0).max() <= tolerance
    assert np.abs(found).max() <= 1.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tanh_of_what_is_no_number(dtype):
    tiny = float(np.finfo(dtype).smallest_subnormal)
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, tiny, -3 * tiny, 1e30, 0.5])
    np.testing.assert_allclose(tanh_of(x, dtype), np.tanh(x.astype(dtype)), rtol=1e-6)


def features():
    """Return the instruction sets that this processor has."""
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text().split()) if info.exists() else set()
    sets = {
        "avx2": {"avx2", "fma", "bmi2"},
        "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq"},
    }
    return ["baseline", *(name for name, needed in sets.items() if needed <= flags)]


@pytest.fixture(params=features())
def other(request, tmp_path, monkeypatch):
    """Another copy of the library, held to one instruction set."""
    source = next(Path(dpcore_kernels.__file__).parent.glob("libdpcore_kernels.*"))
    copy = tmp_path / f"{request.param}{source.suffix}"
    shutil.copy(source, copy)
    monkeypatch.setenv("DPCORE_KERNELS_ISA", request.param)
    loaded = Library(copy)
    assert loaded.isa == request.param
    return loaded.moments


def test_the_best_instruction_set_is_used():
    if not os.environ.get("DPCORE_KERNELS_ISA"):
        assert library.isa == features()[-1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_instruction_sets_agree(other, dtype):
    tolerance = 1e-13 if dtype == np.float64 else 2e-5
    for case in CASES:
        given = case.make(dtype)
        for found, expected in zip(evaluated(*given, other), evaluated(*given), strict=True):
            assert_close(found, expected, tolerance)


def test_threads_change_no_bit():
    set_threads = library.cdll.omp_set_num_threads
    threads = library.cdll.omp_get_max_threads()
    given = BY_NAME["many-centres"].make()
    try:
        set_threads(1)
        expected = evaluated(*given)
        for n in (2, 3, 2):
            set_threads(n)
            for found, value in zip(evaluated(*given), expected, strict=True):
                np.testing.assert_array_equal(found, value)
    finally:
        set_threads(threads)


def test_callers_in_many_threads():
    cases = [case.make(dtype) for case in CASES for dtype in (np.float64, np.float32)]
    expected = [evaluated(*given) for given in cases]
    with ThreadPoolExecutor(4) as pool:
        for found, given in zip(
            pool.map(lambda x: evaluated(*x), cases * 4), expected * 4, strict=True
        ):
            for new, old in zip(found, given, strict=True):
                np.testing.assert_array_equal(new, old)


def test_what_is_not_laid_out_is_refused():
    made, displacement, weight, direction = BY_NAME["table-7"].make()
    problem = made.problem(displacement)
    strided = np.stack([weight, weight], axis=-1)[..., 0]
    for wrong in (
        strided,
        np.asfortranarray(weight),
        weight.astype(np.float32),
        weight.astype(">f8"),
    ):
        with pytest.raises(ValueError, match="contiguous"):
            KERNELS.first(problem, wrong)
    with pytest.raises(ValueError, match="contiguous"):
        KERNELS.second(problem, weight, direction[::-1])
    for name, value in {
        "displacement": displacement[:, ::-1],
        "layout": problem.layout.astype(np.int32),
        "count": [c.astype(np.int32) for c in problem.count],
        "pairs": np.asfortranarray(problem.pairs),
        "data": problem.data[::2],
        "empty": problem.empty.astype(np.float32),
    }.items():
        with pytest.raises(ValueError, match="contiguous"):
            KERNELS.moments(dc.replace(problem, **{name: value}))


# Run apart, as what is not refused may well end the process.
WRONG = """
import dataclasses as dc, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from dpcore_kernels import library
from moment_cases import CASES

kernels, (made, displacement, weight, direction) = library.moments, CASES[1].make()
right = made.problem(displacement)

def refused(what, call):
    print(what, flush=True)
    try:
        call()
    except ValueError:
        return
    sys.exit("was not refused")

refused("weight", lambda: kernels.first(right, weight[:-1]))
refused("narrow weight", lambda: kernels.first(right, weight[:, :, :-1].copy()))
refused("second weight", lambda: kernels.second(right, weight[:-1], direction))
refused("direction", lambda: kernels.second(right, weight, direction[:-1]))

def changed(what, **changes):
    wrong = dc.replace(right, **changes)
    refused(what, lambda: kernels.moments(wrong))
    refused(what + " of the slope", lambda: kernels.first(wrong, weight))

changed("displacement", displacement=displacement[:-1])
changed("blocks of counts", count=right.count[:-1])
changed("length of a count", count=[right.count[0][:-1], *right.count[1:]])
for number in (-1, right.layout[0, 1] + 1, 2**62):
    one = right.count[0].copy()
    one[3] = number
    changed(f"count {number}", count=[one, *right.count[1:]])
for number in (-1, len(right.pairs)):
    layout = right.layout.copy()
    layout[1, 2] = number
    changed(f"pair {number}", layout=layout)
changed("columns", pairs=right.pairs[:, :-1].copy())
changed("empty", empty=right.empty[:-1])
"""


def test_wrong_sizes_are_refused():
    command = [sys.executable, "-c", WRONG, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1:]}: {done.stderr}"


FORKED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from dpcore_kernels import library
from moment_cases import CASES

made, displacement, *_ = next(case for case in CASES if case.name == "many-centres").make()
problem = made.problem(displacement)
before = library.moments.moments(problem)
child = os.fork()
if not child:
    signal.alarm(20)
    os._exit(not (library.moments.moments(problem) == before).all())
sys.exit(os.waitpid(child, 0)[1] and "the child did not get the same numbers")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_can_go_on():
    command = [sys.executable, "-c", FORKED, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
