"""The contract between the core and a framework."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dpcore.tree import Tree, arrays, map_arrays, replace, skeleton, structure
from dpcore.xp import namespace

Function = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do beyond evaluating a model; skips and documentation are derived from it.

    Attributes:
        jit: compiled evaluation is on by default; batches are padded to a few sizes for it.
        compile_on_request: evaluation can be compiled when the user asks for it.
        rows: how many rows of embeddings are best held at once on a processor.
        kernels: kinds of device that fused kernels exist for.
        devices: kinds of device it may run on.
        exports: suffixes of the compiled files it writes and runs.
        takes_numpy: compiled functions take NumPy's arrays, sooner than arrays could be made of them.
    """

    jit: bool = False
    compile_on_request: bool = False
    rows: int = 1 << 17
    kernels: tuple[str, ...] = ("cpu",)
    devices: tuple[str, ...] = ("cpu",)
    exports: tuple[str, ...] = ()
    takes_numpy: bool = False


class Adapter(Protocol):
    """A framework as the core sees it; importing one registers its array namespace."""

    name: str
    capabilities: Capabilities

    def version(self) -> str:
        """Return the framework's version."""
        ...

    def device(self, name: str | None) -> Any:
        """Return the framework's device of that name, or its default; DPError if there is none."""
        ...

    def kernels(self, device: Any) -> Collection[str]:
        """Make fused kernels known and return the embeddings they evaluate on a device.

        None, or of ``table`` and ``net`` (:data:`dpcore.fused.moments.EMBEDDINGS`).
        """
        ...

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context in which arrays are made and functions called."""
        ...

    def asarray(self, x: np.ndarray, device: Any = None) -> Any:
        """Return a NumPy array as one of the framework, of the same dtype, on ``device``."""
        ...

    def to_numpy(self, x: Any) -> np.ndarray:
        """Return an array of the framework as a NumPy array."""
        ...

    def compile(
        self, function: Callable[..., dict[str, Any]], *, requested: bool | None
    ) -> Function:
        """Return ``function(model, batch)`` compiled where that is the default or requested."""
        ...

    def jacobian(
        self,
        function: Callable[[Any], tuple[Any, Any]],
        size: int,
        *,
        again: bool = False,
    ) -> Callable[[Any], tuple[tuple[Any, Any], list[Any]]]:
        """Return a function giving ``((values, auxiliary), gradients)``.

        ``function(x)`` of an array returns ``(values, auxiliary)`` with ``size`` values, and beside them an
        array or a dictionary of arrays that is not differentiated; there is one
        gradient for each, zero where the value does not depend on ``x``. With ``again`` the gradients can
        themselves be differentiated, by whatever else the function depends on.
        """
        ...


def value_and_grad(
    adapter: Adapter, function: Callable[[Any], tuple[Any, Any]]
) -> Callable[[Any], Any]:
    """Return a function giving ``((value, auxiliary), gradient)`` of one with a single value."""

    def values(x: Any) -> tuple[Any, Any]:
        value, auxiliary = function(x)
        return namespace(value).reshape(value, (1,)), auxiliary

    def with_gradient(x: Any) -> Any:
        (found, auxiliary), (slope,) = adapter.jacobian(values, 1)(x)
        return (found[0], auxiliary), slope

    return with_gradient


def by_structure(function: Function, compiler: Callable[[Any], Any]) -> Function:
    """Compile ``function(model, batch)`` once for each structure of a batch.

    Args:
        function: what to compile.
        compiler: compiles a function of two mappings from path to array.
    """
    compiled: dict[str, Any] = {}

    def call(model: Tree, batch: Tree) -> dict[str, Any]:
        key = structure(batch)
        if key not in compiled:
            shell, frame = skeleton(model), skeleton(batch)
            compiled[key] = compiler(
                lambda parameters, inputs: function(
                    replace(shell, parameters), replace(frame, inputs)
                )
            )
        outputs: dict[str, Any] = compiled[key](arrays(model), arrays(batch))
        return outputs

    return call


class Exporter(Adapter, Protocol):
    """A backend that writes and runs compiled files."""

    def export(self, model: Any, document: bytes, path: Path) -> None:
        """Write the compiled parts of a model, with the document that they are made from inside."""
        ...

    def load(self, path: Path, document: Any, device: str | None) -> dict[str, Any]:
        """Return the engines (:class:`dpcore.infer.engine.Engine`) that run a compiled file's parts."""
        ...


def as_inputs(adapter: Adapter, tree: Tree, device: Any = None) -> Any:
    """Return a NumPy tree as compiled functions take it soonest: as it is, or with a backend's arrays."""
    return tree if adapter.capabilities.takes_numpy else to_backend(adapter, tree, device)


def to_backend(adapter: Adapter, tree: Tree, device: Any = None) -> Any:
    """Return a NumPy tree with the arrays of a backend."""
    with adapter.scope():
        return map_arrays(lambda x: adapter.asarray(x, device), tree)
