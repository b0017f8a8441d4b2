"""JAX as the core sees it."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dpcore.backend import Capabilities, by_structure
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.fused.moments import EMBEDDINGS
from dpcore.infer.engine import Engine
from dpcore.models import Model
from dpcore.train.workers import Place, Workers
from dpcore_jax import namespace as _namespace  # noqa: F401  # registers the function set

# More derivatives than this that are differentiated again are one program for all: one for each takes long to
# compile.
_MANY = 9


class JaxAdapter:
    """Evaluate models with JAX."""

    name = "jax"
    # Programs of XLA slow down sooner than others when their rows outgrow the caches.
    capabilities = Capabilities(
        jit=True,
        rows=1 << 15,
        devices=("cpu", "cuda", "tpu"),
        exports=("jaxexport",),
        takes_numpy=True,
    )

    def version(self) -> str:
        """Return JAX's version."""
        return str(jax.__version__)

    def device(self, name: str | None) -> Any:
        """Return a device by name; by default JAX's first."""
        if name is None:
            # Not the first of all: that may be another process's.
            return jax.local_devices()[0]
        kind, _, number = name.partition(":")
        try:
            found = jax.devices(kind) if kind else []
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise DPError(f"device {name!r} is not available to JAX: {reason}") from error
        numbered = {str(i): device for i, device in enumerate(found)}
        if (number or "0") not in numbered:
            raise DPError(f"device {name!r} is not available to JAX: {len(found)} of its kind are")
        return numbered[number or "0"]

    def kernels(self, device: Any) -> Collection[str]:
        """Return the embeddings that fused kernels evaluate on a device."""
        from dpcore_jax.kernels import available

        return EMBEDDINGS if device.platform == "cpu" and available() else ()

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context in which 64-bit numbers exist; outside it JAX is left as it is."""
        context: AbstractContextManager[Any] = jax.enable_x64(True)
        return context

    def asarray(self, x: np.ndarray, device: Any = None) -> jax.Array:
        """Return a NumPy array as one of JAX."""
        return jax.device_put(x, device)

    def to_numpy(self, x: Any) -> np.ndarray:
        """Return an array of JAX as a NumPy array."""
        return np.asarray(x)

    def compile(
        self,
        function: Callable[..., Any],
        *,
        requested: bool | None = None,  # noqa: ARG002  # always compiled
    ) -> Callable[..., Any]:
        """Return ``function(model, batch)`` compiled, once for each structure and shape of a batch."""
        return by_structure(function, jax.jit)

    def jacobian(
        self,
        function: Callable[[Any], tuple[Any, Any]],
        size: int,
        *,
        again: bool = False,
    ) -> Callable[[Any], tuple[tuple[Any, Any], list[Any]]]:
        """Return a function giving ``((values, auxiliary), gradients)``."""

        def with_gradients(x: jax.Array) -> tuple[tuple[Any, Any], list[Any]]:
            values, pull, auxiliary = jax.vjp(function, x, has_aux=True)
            rows = jax.numpy.eye(size, dtype=values.dtype)
            if again and size > _MANY:
                return (values, auxiliary), list(jax.vmap(pull)(rows)[0])
            return (values, auxiliary), [pull(row)[0] for row in rows]

        return with_gradients

    def workers(self, place: Place, device: str | None) -> Workers:
        """Return the processes that train together."""
        from dpcore_jax.workers import JaxWorkers

        JaxWorkers.start(place)
        return JaxWorkers(place, self.device(device) if device else jax.local_devices()[0])

    def profile(self, folder: Path) -> AbstractContextManager[Any]:
        """Return a context that writes JAX's profile of what happens in it, for TensorBoard."""
        context: AbstractContextManager[Any] = jax.profiler.trace(str(folder))
        return context

    def export(self, model: Model, document: bytes, path: Path) -> None:
        """Write a compiled model with the document inside."""
        from dpcore_jax.artefact import write

        write(self, model, document, path)

    def load(self, path: Path, document: Document, device: str | None) -> Mapping[str, Engine]:
        """Return the engines that run the parts of a compiled file."""
        from dpcore_jax.artefact import load

        return load(self, path, document, self.device(device))
