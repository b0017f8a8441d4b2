"""Optimizers: PyTorch's and DeePMD-kit's trajectories, hand-worked steps, all backends.

``data/optimizers.npz`` holds trajectories for given gradients of ``torch.optim`` and of DeePMD-kit 3.2.0, whose
half precision of orthogonal steps was raised to double; ``data/kalman.npz`` holds what its Kalman filter makes
of a small model.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_models import BY_NAME
from harness import FRAMEWORKS, Backend

from dpcore.backend.adapter import to_backend, value_and_grad
from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.infer.assemble import assemble
from dpcore.neighbours.sizes import RecurringSizes
from dpcore.output import Output
from dpcore.registry import backend as adapter_of
from dpcore.train.losses import EnergyLoss, Loss
from dpcore.train.objective import Lesson, Objective
from dpcore.train.optimizers import OPTIMIZERS, STEP, Optimizer
from dpcore.train.optimizers.kalman import block_sizes
from dpcore.train.optimizers.kalman_goals import KalmanGoal, chosen_atoms
from dpcore.train.optimizers.orthogonal import FIVE_STEPS, POLAR, SETTLED, orthogonal
from dpcore.train.parameters import Layout, Slot
from dpcore.train.pursuit import Pursuit
from dpcore.train.targets import Target
from dpcore.train.update import Progress, Updater
from dpcore.train.workers import Alone
from dpcore.tree import Tree, arrays, buffer, replace
from dpcore.xp import namespace

DATA = Path(__file__).parent / "data"
FROZEN = dict(np.load(DATA / "optimizers.npz"))
CASES = json.loads(str(FROZEN["cases"]))
LAYOUT = Layout(
    tuple(Slot(path, tuple(sizes), "float64") for path, sizes in json.loads(str(FROZEN["slots"]))),
    "float64",
)
# What backends are compared by: every optimizer, and every way of HybridMuon.
COMPARED = [1, 3, 5, 7, 12, 17]


def ids(case: dict[str, Any]) -> str:
    return "-".join([case["kind"], *(f"{k}={v}" for k, v in case["settings"].items())])


def steps_of(optimizer: Optimizer, rates: np.ndarray) -> list[np.ndarray]:
    """Return the parameters after each step on NumPy."""
    vector, found = FROZEN["start"], []
    state = optimizer.start(LAYOUT, vector)
    for gradient, rate in zip(FROZEN["gradients"], rates, strict=False):
        vector, state = optimizer(vector, gradient, state, np.array(rate), LAYOUT)
        found.append(vector)
    return found


def rates_of(case: dict[str, Any]) -> np.ndarray:
    return FROZEN["errors" if case["kind"] == "LKF" else "rates"]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[ids(case) for case in CASES])
def test_steps_are_those_of_torch_and_deepmd_kit(number: int) -> None:
    case = CASES[number]
    found = steps_of(OPTIMIZERS[case["kind"]](**case["settings"]), rates_of(case))
    for step, expected in zip((0, -1), FROZEN[str(number)], strict=True):
        np.testing.assert_allclose(found[step], expected, rtol=0.0, atol=3e-15)


@pytest.mark.parametrize("kind", ["Adam", "AdamW"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_twenty_steps_are_those_of_torch(kind: str, decay: float) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    optimizer = OPTIMIZERS[kind](adam_beta1=0.85, adam_beta2=0.995, weight_decay=decay)
    layout = Layout((Slot("weight", (30,), "float64"),), "float64")
    vector = rng.normal(size=30)
    theirs = torch.nn.Parameter(torch.tensor(vector))
    make = getattr(torch.optim, kind)
    peer = make([theirs], lr=0.02, betas=(0.85, 0.995), weight_decay=decay)
    state = optimizer.start(layout, vector)
    for _ in range(20):
        gradient = rng.normal(size=30) * 10.0 ** rng.uniform(-4, 2, size=30)
        theirs.grad = torch.tensor(gradient)
        peer.step()
        vector, state = optimizer(vector, gradient, state, np.array(0.02), layout)
    np.testing.assert_allclose(vector, theirs.detach().numpy(), rtol=1e-14, atol=1e-14)


class Now(Tree):
    """Parameters and what an optimizer remembers."""

    vector: Any = buffer()
    state: Any


class Push(Tree):
    """What a step is made of."""

    gradient: Any = buffer()
    rate: Any = buffer()


@pytest.mark.parametrize("number", COMPARED, ids=[ids(CASES[i]) for i in COMPARED])
@pytest.mark.parametrize("framework", FRAMEWORKS[1:], ids=str)
def test_all_backends_take_the_same_steps(number: int, framework: Backend) -> None:
    adapter = framework.required().adapter()
    case = CASES[number]
    optimizer = OPTIMIZERS[case["kind"]](**case["settings"])

    def step(now: Now, push: Push) -> dict[str, Any]:
        vector, state = optimizer(now.vector, push.gradient, now.state, push.rate, LAYOUT)
        return arrays(Now(vector=vector, state=state))

    compiled = adapter.compile(step, requested=None)
    start = FROZEN["start"]
    now = to_backend(adapter, Now(vector=start, state=optimizer.start(LAYOUT, start)))
    expected = steps_of(optimizer, rates_of(case)[:4])
    for n, rate in enumerate(rates_of(case)[:4]):
        push = Push(gradient=FROZEN["gradients"][n], rate=np.array(rate))
        with adapter.scope():
            now = replace(now, compiled(now, to_backend(adapter, push)))
        np.testing.assert_allclose(adapter.to_numpy(now.vector), expected[n], rtol=0, atol=2e-15)


@pytest.mark.parametrize("kind", sorted(OPTIMIZERS))
def test_single_precision_stays_what_it_is(kind: str) -> None:
    optimizer, vector = OPTIMIZERS[kind](), FROZEN["start"].astype("float32")
    gradient = FROZEN["gradients"][0].astype("float32")
    state = optimizer.start(LAYOUT, vector)
    found, after = optimizer(vector, gradient, state, np.array(0.01), LAYOUT)
    dtypes = {str(x.dtype) for x in (found, *arrays(after).values())}
    assert dtypes == {"float32"}
    assert np.isfinite(found).all()


def test_first_steps_by_hand() -> None:
    layout = Layout((Slot("net.bias", (2,), "float64"),), "float64")
    vector, gradient = np.array([1.0, -2.0]), np.array([3.0, -0.1])
    adam = OPTIMIZERS["Adam"]()
    found, _ = adam(vector, gradient, adam.start(layout, vector), np.array(0.5), layout)
    np.testing.assert_allclose(found, [0.5, -1.5], atol=1e-7)
    decayed = OPTIMIZERS["AdamW"](weight_decay=0.2)
    found, _ = decayed(vector, gradient, decayed.start(layout, vector), np.array(0.5), layout)
    np.testing.assert_allclose(found, [0.9 - 0.5, -1.8 + 0.5], atol=1e-7)
    kalman = OPTIMIZERS["LKF"]()
    # Gain 1 / (0.98 + 9 + 0.01), step 2 along the gradient.
    found, state = kalman(vector, gradient, kalman.start(layout, vector), np.array(2.0), layout)
    np.testing.assert_allclose(found, vector + 2.0 * gradient / 9.99, rtol=1e-14)
    expected = (np.eye(2) - np.outer(gradient, gradient) / 9.99) / 0.98
    np.testing.assert_allclose(state.blocks[0].value, expected, rtol=1e-14)
    assert state.kept == pytest.approx(0.98 * 0.9987 + 0.0013)


@pytest.mark.parametrize("sizes", [(3, 4, 9), (2, 6, 6), (1, 8, 3)])
def test_matrices_become_orthogonal(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    given = rng.normal(size=sizes)
    left, _, right = np.linalg.svd(given, full_matrices=False)
    exact = left @ right
    for recipe, off in ((FIVE_STEPS, 0.35), (SETTLED, 0.001), (POLAR, 0.15)):
        found = orthogonal(given, recipe)
        assert np.abs(np.linalg.svd(found)[1] - 1.0).max() < off
        # The directions are kept exactly, whatever the lengths.
        turned = np.swapaxes(left, 1, 2) @ found @ np.swapaxes(right, 1, 2)
        spread = np.einsum("mii->mi", turned)
        np.testing.assert_allclose(
            turned, np.einsum("mi,ij->mij", spread, np.eye(spread.shape[1])), atol=1e-12
        )
        assert np.abs(found - exact).max() < off
    np.testing.assert_array_equal(orthogonal(np.zeros(sizes), SETTLED), 0.0)


def test_routes_of_arrays() -> None:
    hybrid = OPTIMIZERS["HybridMuon"]()
    slots = {
        "fitting.nets.0.layers.0.weight": (8, 4), "fitting.nets.0.layers.0.bias": (4,),
        "descriptor.type_embedding.weight": (3, 4), "descriptor.norm.scale": (2, 5),
        "descriptor.convolution.attention.gate": (4, 2, 3), "descriptor.mixes.0.query": (8,),
        "descriptor.attention.query.weight": (4, 4), "descriptor.enter.weight": (3, 1, 4, 10),
        "descriptor.thin.weight": (1, 7),
    }  # fmt: skip
    layout = Layout(tuple(Slot(p, s, "float64") for p, s in slots.items()), "float64")
    found = dict(zip(slots, hybrid.routes(layout), strict=True))
    matrices = {path: route.matrices for path, route in found.items() if route.matrices}
    assert matrices == {
        "fitting.nets.0.layers.0.weight": (1, 8, 4),
        "descriptor.attention.query.weight": (1, 4, 4),
        "descriptor.enter.weight": (3, 4, 10),
    }
    decaying = [p for p, route in found.items() if route.decays and not route.matrices]
    assert decaying == ["descriptor.convolution.attention.gate", "descriptor.mixes.0.query"]
    (flat,) = [
        r.matrices
        for p, r in zip(slots, hybrid.with_(muon_mode="flat").routes(layout), strict=True)
        if "enter" in p
    ]
    assert flat == (1, 12, 10)
    (none,) = [
        r
        for p, r in zip(slots, hybrid.with_(muon_mode="2d").routes(layout), strict=True)
        if "enter" in p
    ]
    assert (none.matrices, none.decays) == (None, True)


def test_blocks_of_the_kalman_filter() -> None:
    assert block_sizes([3, 4, 5], 7) == [7, 5]
    assert block_sizes([3, 20, 1], 8) == [3, 8, 8, 4, 1]
    assert block_sizes([8, 8], 8) == [8, 8]
    assert block_sizes([2, 2, 2], 100) == [6]


def small_batch(natoms: list[int], padding: int = 1) -> Batch:
    return Batch(
        groups=(),
        views=(),
        frame=np.repeat(np.arange(len(natoms) + 1), [*natoms, padding]),
        natoms=np.array([*natoms, 0]),
        types=np.zeros(sum(natoms) + padding, int),
    )


def test_steps_of_the_kalman_filter_on_a_model_are_those_of_deepmd_kit() -> None:
    peer = dict(np.load(DATA / "kalman.npz"))
    frames, atoms = peer["force"].shape[:2]
    slots = (Slot("one", (2,), "float64"), Slot("two", (2, 2), "float64"))
    layout, optimizer = Layout(slots, "float64"), OPTIMIZERS["LKF"](kf_blocksize=4)
    batch = small_batch([atoms] * frames)
    there = np.array([1.0] * frames + [0.0])
    labels = {
        "energy": np.append(peer["energy"], [[0.0]], axis=0),
        "force": np.append(peer["force"].reshape(-1, 3), [[0.0] * 3], axis=0),
    }
    targets = {name: Target(name=name, value=x, there=there) for name, x in labels.items()}
    phi = np.append(peer["phi"], np.ones((1, 6)), axis=0)
    psi = np.append(peer["psi"].reshape(-1, 18), np.ones((1, 18)), axis=0).reshape(-1, 6)

    def predicted(vector: Any) -> dict[str, Any]:
        xp = namespace(vector)
        bent = xp.tanh(vector)[:, None]
        force = xp.reshape(xp.matmul(psi, bent), (-1, 3))
        return {"energy": xp.matmul(phi, bent), "force": force}

    vector = peer["start"]
    state = optimizer.start(layout, vector)
    groups = peer["chosen"].reshape(4, 6)
    goals = optimizer.goal_losses
    for n, (energy, force) in enumerate(((1.0, 1.0), (0.7, 2.0))):
        for name, pace, group in (("energy", energy, None), *(("force", force, g) for g in groups)):
            given = dict(targets)
            if group is not None:
                counts = np.append(np.tile(np.bincount(group, minlength=atoms), frames), 0.0)
                (extra, *_) = chosen_atoms(batch, np.random.default_rng(0))
                given[extra.name] = extra.with_(value=counts[:, None])

            def value(x: Any, name: str = name, given: Any = given, pace: float = pace) -> Any:
                found = goals[name](predicted(x), given, batch, np.array(pace))
                return found.total, found.errors

            (_, errors), slope = value_and_grad(adapter_of("numpy"), value)(vector)
            off = errors[STEP][0] / errors[STEP][1]
            vector, state = optimizer(vector, slope, state, off, layout)
            if name == "energy":
                np.testing.assert_allclose(vector, peer["steps"][2 * n], rtol=1e-13)
        np.testing.assert_allclose(vector, peer["steps"][2 * n + 1], rtol=1e-13)


def test_goals_of_the_kalman_filter() -> None:
    optimizer = OPTIMIZERS["LKF"](kf_start_pref_e=4.0, kf_limit_pref_f=9.0)
    batch = small_batch([1, 20], padding=3)
    goals = list(optimizer.goals(batch, 0.5, np.random.default_rng(1)))
    assert [goal.name for goal in goals] == ["energy", *["force"] * 4]
    assert [goal.pace for goal in goals] == pytest.approx([2.0, *[3.0] * 4])
    for goal in goals[1:]:
        (target,) = goal.targets
        counts = target.value[:, 0]
        assert (counts[0], counts[1:21].sum(), counts[21:].sum()) == (6.0, 6.0, 0.0)
    again = list(optimizer.goals(batch, 0.5, np.random.default_rng(1)))
    np.testing.assert_array_equal(again[4].targets[0].value, goals[4].targets[0].value)
    nothing = KalmanGoal()({}, {}, batch, np.array(1.0))
    assert nothing.total == 0.0
    np.testing.assert_array_equal(nothing.errors[STEP], [0.0, 1.0])


class Problem:
    """A small model, and frames with energies and forces of other models' making."""

    def __init__(self, backend: Backend = Backend.NUMPY) -> None:
        self.adapter = backend.adapter()
        example, rng = BY_NAME["plain"], np.random.default_rng(0)
        self.model = example.double()
        frames = [example.frame(seed=seed) for seed in range(3)]
        batches = assemble(frames, self.model.selections, RecurringSizes()).batches(10**9)
        self.batch = next(batches)
        self.layout = Layout.of(self.model)
        there = (self.batch.natoms > 0).astype(float)
        energy = rng.normal(size=(len(there), 1)) * there[:, None]
        force = rng.normal(size=(len(self.batch.frame), 3)) * there[self.batch.frame][:, None]
        labels = {"energy": energy, "force": 0.3 * force}
        self.labels = tuple(Target(name=n, value=x, there=there) for n, x in labels.items())

    def objective(self, loss: Loss) -> Objective:
        model, fitted = to_backend(self.adapter, self.model), loss.for_model(self.model)
        return Objective(self.adapter, model, self.layout, fitted)

    def lesson(self, pace: float, *extra: Target) -> Lesson:
        return Lesson(batch=self.batch, targets=(*self.labels, *extra), pace=np.array(pace))


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "AdaMuon", "HybridMuon"])
def test_the_loss_of_a_small_model_falls(kind: str) -> None:
    problem = Problem()
    objective = problem.objective(EnergyLoss(start_pref_e=1.0, start_pref_f=10.0))
    optimizer, start = OPTIMIZERS[kind](), problem.layout.vector(problem.model)
    updater = Updater(problem.adapter, optimizer, problem.layout)
    progress = Progress(vector=start, state=optimizer.start(problem.layout, start))
    losses = []
    for _ in range(8):
        outcome = objective.teach(progress.vector, problem.lesson(1.0))
        losses.append(outcome.loss)
        progress, _ = updater(progress, outcome.gradient, np.array(0.01))
    assert losses[-1] < 0.9 * losses[0]


def pursued(backend: Backend, steps: int) -> tuple[np.ndarray, list[float]]:
    """Return parameters after steps of the Kalman filter, and the loss before each."""
    problem, optimizer = Problem(backend), OPTIMIZERS["LKF"](kf_blocksize=200)
    judge = problem.objective(EnergyLoss(start_pref_e=1.0, start_pref_f=10.0))
    objectives = {n: problem.objective(loss) for n, loss in optimizer.goal_losses.items()}
    updater = Updater(problem.adapter, optimizer, problem.layout)
    pursuit = Pursuit(problem.adapter, None, optimizer, objectives, updater, Alone(), seed=4)
    start = problem.layout.vector(problem.model)
    progress = Progress(vector=start, state=optimizer.start(problem.layout, start))
    progress, losses = to_backend(problem.adapter, progress), []
    for step in range(steps):
        lesson = problem.lesson(1.0)
        outcome = judge.judge(progress.vector, to_backend(problem.adapter, lesson))
        losses.append(float(problem.adapter.to_numpy(outcome.loss)))
        progress, _, norm = pursuit.take(progress, lesson, step, steps)
        assert problem.adapter.to_numpy(norm) > 0.0
    return problem.adapter.to_numpy(progress.vector), losses


def test_the_kalman_filter_finds_a_small_model() -> None:
    _, losses = pursued(Backend.NUMPY, 4)
    assert losses[-1] < 0.5 * losses[0]


def test_the_kalman_filter_takes_the_same_steps_on_torch() -> None:
    found, _ = pursued(Backend.TORCH.required(), 1)
    expected, _ = pursued(Backend.NUMPY, 1)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("Adam", {"adam_beta1": 1.0}, r"optimizer\.adam_beta1: 1\.0; it is from 0 to below 1"),
        ("AdamW", {"weight_decay": -0.1}, r"optimizer\.weight_decay: -0\.1; it is 0 or above"),
        ("AdaMuon", {"momentum": 1.5}, r"optimizer\.momentum: 1\.5"),
        (
            "HybridMuon",
            {"lr_adjust_coeff": 0.0},
            r"optimizer\.lr_adjust_coeff: 0\.0; it is above 0",
        ),
        (
            "HybridMuon",
            {"muon_mode": "3d"},
            r"optimizer\.muon_mode: '3d'; allowed: slice, flat, 2d",
        ),
        ("LKF", {"kf_blocksize": 0}, r"optimizer\.kf_blocksize: 0; it is 1 or above"),
        ("LKF", {"kf_start_pref_e": 0.0}, r"optimizer\.kf_start_pref_e: 0\.0; it is above 0"),
    ],
)
def test_settings_without_meaning_are_refused(
    kind: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(DPError, match=message):
        OPTIMIZERS[kind](**settings)


def test_the_kalman_filter_is_for_energies_alone() -> None:
    with pytest.raises(DPError, match="'LKF' is for energies alone"):
        KalmanGoal().wanted(Output("dos", "atom_dos", (4,)))
