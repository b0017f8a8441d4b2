"""PyTorch as the core sees it."""

import importlib.util
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch

from dpcore import registry
from dpcore.backend import Capabilities
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.fused.moments import EMBEDDINGS
from dpcore.infer.engine import Engine
from dpcore.models import Model
from dpcore.train.workers import Place, Workers
from dpcore_torch import namespace as _namespace  # noqa: F401  # registers the function set
from dpcore_torch.series_kernels import by_places_alone


class TorchAdapter:
    """Evaluate models with PyTorch."""

    name = "torch"
    capabilities = Capabilities(
        compile_on_request=True,
        devices=("cpu", "cuda", "mps", "xpu"),
        kernels=("cpu", "cuda"),
        exports=("pt2",),
    )

    def version(self) -> str:
        """Return PyTorch's version."""
        return str(torch.__version__)

    def device(self, name: str | None) -> torch.device:
        """Return a device by name; by default a GPU where there is one."""
        if name is None:
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device("cuda" if name == "gpu" else name)
            torch.zeros(1, device=device).cpu()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            raise DPError(f"device {name!r} is not available to PyTorch: {reason}") from error
        return device

    def kernels(self, device: torch.device) -> Collection[str]:
        """Return the embeddings that fused kernels evaluate on a device."""
        if device.type == "cuda" and importlib.util.find_spec("triton"):
            importlib.import_module("dpcore_torch.triton_moments")
            return ("table",)
        if device.type != "cpu" or registry.kernels() is None:
            return ()
        importlib.import_module("dpcore_torch.kernels")
        return EMBEDDINGS

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context in which derivatives exist, even inside ``torch.inference_mode()``."""
        context: AbstractContextManager[Any] = torch.inference_mode(mode=False)
        return context

    def asarray(self, x: np.ndarray, device: Any = None) -> torch.Tensor:
        """Return a NumPy array as a tensor; memory is shared where the device is the CPU."""
        if x.dtype == ml_dtypes.bfloat16:
            return self.asarray(x.view(np.int16), device).view(torch.bfloat16)
        # A read-only array would be shared with a tensor that anybody may write to.
        shared = x.flags.writeable and min(x.strides, default=0) >= 0
        return torch.as_tensor(x if shared else x.copy(), device=device)

    def to_numpy(self, x: torch.Tensor) -> np.ndarray:
        """Return a tensor as a NumPy array."""
        if x.dtype == torch.bfloat16:
            return self.to_numpy(x.view(torch.int16)).view(ml_dtypes.bfloat16)
        values: np.ndarray = x.detach().cpu().numpy()
        return values

    def compile(
        self, function: Callable[..., Any], *, requested: bool | None = None
    ) -> Callable[..., Any]:
        """Return the function, through torch.compile if that is requested."""
        if not requested:
            return function
        from dpcore_torch.compiled import compile_function

        compiled: Callable[..., Any] = compile_function(function)
        return compiled

    def jacobian(
        self,
        function: Callable[[Any], tuple[Any, Any]],
        size: int,
        *,
        again: bool = False,
    ) -> Callable[[Any], tuple[tuple[Any, Any], list[Any]]]:
        """Return a function giving ``((values, auxiliary), gradients)``."""

        def with_gradients(x: torch.Tensor) -> tuple[tuple[Any, Any], list[Any]]:
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                values, auxiliary = function(x)
                if not values.requires_grad:
                    return (values, auxiliary), [torch.zeros_like(x)] * size
                with by_places_alone() if again else nullcontext():
                    slopes = [
                        torch.autograd.grad(
                            values[i],
                            x,
                            retain_graph=again or i + 1 < size,
                            create_graph=again,
                            allow_unused=True,
                            materialize_grads=True,
                        )[0]
                        for i in range(size)
                    ]
            return (values, auxiliary), slopes

        return with_gradients

    def workers(self, place: Place, device: str | None) -> Workers:
        """Return the processes that train together; each takes a GPU of its own where there are some."""
        from dpcore_torch.workers import TorchWorkers

        found = self.device(device)
        if found.type == "cuda" and found.index is None:
            torch.cuda.set_device(place.local_rank)
        return TorchWorkers(place, found)

    def profile(self, folder: Path) -> AbstractContextManager[Any]:
        """Return a context that writes PyTorch's profile of what happens in it, for TensorBoard."""
        ready = torch.profiler.tensorboard_trace_handler(str(folder))
        context: AbstractContextManager[Any] = torch.profiler.profile(on_trace_ready=ready)
        return context

    def export(self, model: Model, document: bytes, path: Path) -> None:
        """Write a compiled model with the document inside."""
        from dpcore_torch.artefact import write

        write(self, model, document, path)

    def load(self, path: Path, document: Document, device: str | None) -> Mapping[str, Engine]:
        """Return the engines that run the parts of a compiled file."""
        from dpcore_torch.artefact import load

        return load(self, path, document, self.device(device or "cpu"))
