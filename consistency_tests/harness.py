"""The backends under test: the four that ship, and two that forgive less."""

import dataclasses as dc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from typing import Any, Self

import array_api_strict
import numpy as np
import pytest
from autograd.numpy.numpy_boxes import ArrayBox

from dpcore.backend import Adapter, Capabilities
from dpcore.backend.reference import XP, NumpyAdapter
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.frames import Frame
from dpcore.infer.deep_eval import DeepEval
from dpcore.infer.engine import TreeEngine
from dpcore.infer.engine import engines_of as parts_of
from dpcore.models import Model, Output
from dpcore.registry import backend as adapter_of
from dpcore.tree import map_arrays
from dpcore.xp import FUNCTIONS


class Backend(Enum):
    """A backend of the tests, by the name it is shown under."""

    NUMPY = "numpy"
    TORCH = "torch"
    JAX = "jax"
    TENSORFLOW = "tensorflow"
    STRICT = "array_api_strict"
    READ_ONLY = "read_only"

    def __str__(self) -> str:
        return self.value

    def required(self) -> Self:
        """Skip the test where the framework is missing, but fail in continuous integration."""
        try:
            self.adapter()
        except DPError as error:
            if os.environ.get("CI"):
                pytest.fail(f"continuous integration needs every framework: {error}")
            pytest.skip(str(error))
        return self

    def adapter(self) -> Adapter:
        """Return the adapter, strict ones included."""
        if self is Backend.STRICT:
            return StrictAdapter()
        return ReadOnlyAdapter() if self is Backend.READ_ONLY else adapter_of(self.value)


FRAMEWORKS = [Backend.NUMPY, Backend.TORCH, Backend.JAX, Backend.TENSORFLOW]
COMPILED = [Backend.JAX, Backend.TENSORFLOW]


class Way(Enum):
    """The ways in which a model can be evaluated."""

    PLAIN = "plain"
    """Array code and networks."""
    NETS = "nets"
    """Fused kernels and networks."""
    TABLES = "tables"
    """Fused kernels and tables: what users get by default where there are kernels."""

    def __str__(self) -> str:
        return self.value


def engine_of(
    model: Model, backend: Backend, dtype: str | None = None, way: Way = Way.PLAIN
) -> TreeEngine:
    """Return a fresh engine of a model in one part."""
    return TreeEngine(model, backend.adapter(), **_options(dtype, way))


def engines_of(
    model: Model, backend: Backend, dtype: str | None = None, way: Way = Way.PLAIN
) -> dict[str, TreeEngine]:
    """Return fresh engines of all parts of a model."""
    return parts_of(model, backend.adapter(), **_options(dtype, way))


def _options(dtype: str | None, way: Way) -> dict[str, Any]:
    tables = None if way is Way.TABLES else False
    return {"dtype": dtype, "tables": tables, "kernels": way is not Way.PLAIN}


def assert_descriptors(model: Model, frames: Sequence[Frame], expected: Callable[..., Any]) -> None:
    """Assert that descriptors are those that plain loops give for a frame and an atom.

    Types of the frames after the first are rolled: these begin with an atom of another type.
    """
    frames = [
        dc.replace(frame, types=np.roll(frame.types, 3 * n)) for n, frame in enumerate(frames)
    ]
    potential = DeepEval.from_document(Document(model), Backend.NUMPY.adapter(), tables=False)
    coord, types = (np.stack([getattr(f, key) for f in frames]) for key in ("coord", "types"))
    cell = None if frames[0].cell is None else np.stack([frame.cell for frame in frames])
    found = potential.eval_descriptor(coord, cell, types, mixed_type=True)
    for frame, rows in zip(frames, found, strict=True):
        truth = [expected(model, frame, atom) for atom in (0, 5)]
        assert_close(rows[[0, 5]], truth, 1e-12)


def read_only(x: Any) -> Any:
    """Return an array that refuses to be written to, with the arrays inside an autograd box."""
    if isinstance(x, ArrayBox):
        read_only(x._value)
    elif isinstance(x, np.ndarray):
        x.flags.writeable = False
    elif isinstance(x, list):
        return [read_only(v) for v in x]
    return x


def _sealed(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: read_only(function(*args, **kwargs))


@contextmanager
def _sealed_namespace() -> Iterator[None]:
    """Make every function of the reference return read-only arrays."""
    open_functions = dict(vars(XP))
    vars(XP).update({name: _sealed(open_functions[name]) for name in FUNCTIONS})
    try:
        yield
    finally:
        vars(XP).update(open_functions)


class ReadOnlyAdapter(NumpyAdapter):
    """NumPy whose arrays, given or computed, refuse to be written to."""

    name = "read_only"

    def scope(self) -> AbstractContextManager[Any]:
        return _sealed_namespace()

    def asarray(self, x: np.ndarray, device: Any = None) -> np.ndarray:  # noqa: ARG002
        return read_only(x.copy())


class StrictAdapter:
    """The smallest array API there is: what a model does beyond the standard fails.

    It has no derivatives, so those of the reference are put in their place.
    """

    name = "array_api_strict"
    capabilities = Capabilities(kernels=())

    def version(self) -> str:
        return str(array_api_strict.__version__)

    def device(self, name: str | None) -> None:
        assert name is None

    def kernels(self, device: None) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def scope(self) -> AbstractContextManager[Any]:
        # What the size of a result may not depend on is what compilers cannot know.
        return array_api_strict.ArrayAPIStrictFlags(
            boolean_indexing=False, data_dependent_shapes=False
        )

    def asarray(self, x: np.ndarray, device: Any = None) -> Any:  # noqa: ARG002
        return array_api_strict.asarray(x)

    def to_numpy(self, x: Any) -> np.ndarray:
        return np.asarray(x)

    def compile(
        self, function: Callable[..., Any], *, requested: bool | None = None
    ) -> Callable[..., Any]:
        assert not requested

        def call(model: Any, batch: Any) -> Mapping[str, Any]:
            self._slopes, self._told = [], False
            function(map_arrays(np.asarray, model), map_arrays(np.asarray, batch))
            self._told = True
            return function(model, batch)

        return call

    def jacobian(
        self, function: Callable[[Any], tuple[Any, Any]], size: int, *, again: bool = False
    ) -> Callable[[Any], Any]:
        def with_gradients(x: Any) -> Any:
            if self._told:
                return function(x), [array_api_strict.asarray(g) for g in self._slopes.pop(0)]
            found = NumpyAdapter().jacobian(function, size, again=again)(x)
            self._slopes.append(found[1])
            return found

        return with_gradients


def is_per_frame(name: str, model: Model) -> bool:
    """Return whether a prediction belongs to a frame rather than to an atom."""
    return name in model.output.per_frame


def turned(name: str, value: np.ndarray, q: np.ndarray, output: Output) -> np.ndarray:
    """Return a prediction with its vectors turned by an orthogonal matrix."""
    rank, axes = output.rank, 1 if output.size > 1 else 0
    if name in {output.total, output.atomic}:
        return _turn(value, [q] * rank)
    if name in {"virial", "atom_virial"}:
        square = value.reshape(*value.shape[:-1], 3, 3)
        return _turn(square, [q] * (axes * rank + 2)).reshape(value.shape)
    return _turn(value, [q] * (axes * rank + 1)) if name.startswith("force") else value


def _turn(value: np.ndarray, turns: list[np.ndarray]) -> np.ndarray:
    for axis, q in enumerate(reversed(turns), 1):
        value = np.moveaxis(np.moveaxis(value, -axis, -1) @ q.T, -1, -axis)
    return value


def permuted(frame: Frame, order: Any) -> Frame:
    """Return a frame with some of its atoms, in another order."""
    per_atom = ("coord", "types", "aparam", "spin")
    given = {name: getattr(frame, name) for name in per_atom}
    return dc.replace(frame, **{k: v[order] for k, v in given.items() if v is not None})


def assert_close(actual: Any, expected: Any, tolerance: float, what: str = "") -> None:
    """Compare within a tolerance relative to the largest expected number, or to 0.01 if all are smaller."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"{what}: {actual.shape} is not {expected.shape}"
    scale = max(float(np.abs(expected).max(initial=0.0)), 0.01)
    worst = float(np.abs(actual - expected).max(initial=0.0)) / scale
    assert worst <= tolerance, f"{what}: differs by {worst:.1e} of {scale:.1e}, not {tolerance:.0e}"


def assert_same(actual: Mapping[str, Any], expected: Mapping[str, Any], tolerance: float) -> None:
    """Compare all that is predicted for a frame."""
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        assert_close(actual[key], value, tolerance, key)
