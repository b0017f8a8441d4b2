"""TensorFlow as the core sees it."""

import importlib
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dpcore import registry
from dpcore.backend import Capabilities, by_structure
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.fused.moments import EMBEDDINGS
from dpcore.infer.engine import Engine
from dpcore.models import Model
from dpcore.train.workers import Place, Workers
from dpcore_tf import namespace as _namespace  # noqa: F401  # registers the function set

# More derivatives than this that are differentiated again are one program for all: one for each takes long to
# compile.
_MANY = 9


class TensorFlowAdapter:
    """Evaluate models with TensorFlow."""

    name = "tensorflow"
    capabilities = Capabilities(jit=True, devices=("cpu", "cuda", "tpu"), exports=("savedmodel",))

    def version(self) -> str:
        """Return TensorFlow's version."""
        return str(tf.__version__)

    def device(self, name: str | None) -> str:
        """Return a device by name; by default a GPU where there is one."""
        if name is None:
            return "/GPU:0" if tf.config.list_logical_devices("GPU") else "/CPU:0"
        kind, _, number = name.partition(":")
        kind = "GPU" if kind == "cuda" else kind.upper()
        wanted = f"{kind}:{number or 0}"
        if wanted not in [
            d.name.removeprefix("/device:") for d in tf.config.list_logical_devices()
        ]:
            raise DPError(f"device {name!r} is not available to TensorFlow")
        return f"/{wanted}"

    def kernels(self, device: str) -> Collection[str]:
        """Return the embeddings that fused kernels evaluate on a device."""
        if "CPU" not in device or registry.kernels() is None:
            return ()
        importlib.import_module("dpcore_tf.kernels")
        return EMBEDDINGS

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context that does nothing."""
        return nullcontext()

    def asarray(self, x: np.ndarray, device: Any = None) -> Any:
        """Return a NumPy array as a tensor."""
        with tf.device(device):
            return tf.convert_to_tensor(x)

    def to_numpy(self, x: Any) -> np.ndarray:
        """Return a tensor as a NumPy array."""
        # Of a tensor without axes, TensorFlow makes a number.
        return np.asarray(x.numpy())

    def compile(
        self,
        function: Callable[..., Any],
        *,
        requested: bool | None = None,  # noqa: ARG002  # always traced
    ) -> Callable[..., Any]:
        """Return ``function(model, batch)`` as a graph, traced for each structure of a batch."""
        return by_structure(function, _graph)

    def jacobian(
        self,
        function: Callable[[Any], tuple[Any, Any]],
        size: int,
        *,
        again: bool = False,
    ) -> Callable[[Any], tuple[tuple[Any, Any], list[Any]]]:
        """Return a function giving ``((values, auxiliary), gradients)``."""

        def with_gradients(x: Any) -> tuple[tuple[Any, Any], list[Any]]:
            with tf.GradientTape(watch_accessed_variables=False, persistent=size > 1) as tape:
                tape.watch(x)
                values, auxiliary = function(x)
                each = [values[i] for i in range(size)]
            if again and size > _MANY:
                none = tf.UnconnectedGradients.ZERO
                return (values, auxiliary), tf.unstack(
                    tape.jacobian(values, x, unconnected_gradients=none), num=size
                )
            # A gradient of gathered rows comes as indexed slices.
            slopes = [
                tf.convert_to_tensor(
                    tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
                )
                for value in each
            ]
            return (values, auxiliary), slopes

        return with_gradients

    def workers(self, place: Place, device: str | None) -> Workers:  # noqa: ARG002  # the strategy's choice
        """Return the processes that train together."""
        from dpcore_tf.workers import TensorFlowWorkers

        return TensorFlowWorkers(place)

    def profile(self, folder: Path) -> AbstractContextManager[Any]:
        """Return a context that writes TensorFlow's profile of what happens in it, for TensorBoard."""
        context: AbstractContextManager[Any] = tf.profiler.experimental.Profile(str(folder))
        return context

    def export(self, model: Model, document: bytes, path: Path) -> None:
        """Write a compiled model with the document inside."""
        from dpcore_tf.artefact import write

        write(self, model, document, path)

    def load(self, path: Path, document: Document, device: str | None) -> Mapping[str, Engine]:
        """Return the engines that run the parts of a compiled file."""
        from dpcore_tf.artefact import load

        return load(self, path, document, self.device(device))


def _unexpected(record: logging.LogRecord) -> bool:
    """Return whether a record is no warning of what is on purpose: a trace for each structure of a batch."""
    message = record.getMessage()
    return by_structure.__name__ not in message or "retracing" not in message


tf.get_logger().addFilter(_unexpected)


def _graph(function: Callable[..., Any]) -> Any:
    """Return a function as a graph that is traced for open sizes once sizes vary."""
    return tf.function(function, autograph=False, reduce_retracing=True)
