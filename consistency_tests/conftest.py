"""Fixtures of the consistency tests; the modules beside this file hold what they are made of."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
# TensorFlow's compiler writes hundreds of lines of notes past Python's logging.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Hundreds of small models are compiled, each for a few evaluations: XLA is not to spend time on their speed.
# test_golden.py runs some as users do.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)
# What one worker has compiled the others read, and so does the next run.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

from harness import FRAMEWORKS, Backend, Way, engines_of

from dpcore.frames import Frame, Prediction
from dpcore.infer.whole import WholeEvaluator
from dpcore.models import Model


@pytest.fixture(params=list(Backend), ids=str)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend, the two strict ones included."""
    return request.param.required()


@pytest.fixture(params=FRAMEWORKS, ids=str)
def framework(request: pytest.FixtureRequest) -> Backend:
    """The backends that users choose from."""
    return request.param.required()


class Evaluators:
    """Evaluators by model and backend, so that nothing is compiled twice in one session."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[Model, WholeEvaluator]] = {}

    def of(
        self,
        model: Model,
        backend: Backend,
        dtype: str | None = None,
        way: Way = Way.PLAIN,
    ) -> WholeEvaluator:
        """Return the evaluator of a model on a backend."""
        key = (id(model), backend, dtype, way)
        if key not in self._kept:
            engines = engines_of(model, backend, dtype, way)
            evaluator = WholeEvaluator(model, engines, batch_atoms=100_000)
            self._kept[key] = (model, evaluator)  # the model stays alive, so its id stays its own
        return self._kept[key][1]


@pytest.fixture(scope="session")
def evaluators() -> Evaluators:
    """The evaluators of this session."""
    return Evaluators()


Predict = Callable[..., list[Prediction]]


@pytest.fixture
def predict(evaluators: Evaluators) -> Predict:
    """Return ``predict(model, frames, backend=Backend.NUMPY, dtype=None, way=Way.PLAIN)``."""

    def call(
        model: Model,
        frames: Sequence[Frame],
        backend: Backend = Backend.NUMPY,
        dtype: str | None = None,
        way: Way = Way.PLAIN,
    ) -> list[Prediction]:
        predictions = evaluators.of(model, backend, dtype, way).predict(frames)
        assert all(np.isfinite(v).all() for p in predictions for v in p.values())
        return predictions

    return call
