"""`.pt2` files: the model with its forces, traced, exported and compiled ahead of time."""

import io
import logging
import platform
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._inductor import aot_compile
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch.export import Dim, ExportedProgram
from torch.export.pt2_archive._package import load_pt2, package_pt2
from torch.fx.experimental import _config as tracing
from torch.fx.experimental.proxy_tensor import make_fx

from dpcore.backend import Adapter, to_backend
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer.artefact import ArtefactEngine
from dpcore.infer.engine import Arrays
from dpcore.infer.signature import Signature, signature
from dpcore.models.energy import EnergyModel
from dpcore.models.prediction import OUTPUTS, predict
from dpcore.models.prepare import prepare

log = logging.getLogger(__name__)

# Any x86-64 processor with AVX2 runs the file, not the one it was compiled on alone.
_PORTABLE = {"cpp.march": "x86-64-v3", "cpp.simdlen": 256}


def write(adapter: Adapter, model: EnergyModel, document: bytes, path: Path) -> None:
    """Compile a model and write it with its document."""
    archive = io.BytesIO(_package(export(adapter, model)))
    with zipfile.ZipFile(archive, "a") as file:
        root = file.namelist()[0].partition("/")[0]
        file.writestr(f"{root}/dpcore/model.dp", document)
    path.write_bytes(archive.getvalue())


def load(adapter: Adapter, path: Path, document: Document, device: torch.device) -> ArtefactEngine:
    """Return the engine that runs a compiled file."""
    if device.type != "cpu":
        raise DPError(
            f"device {str(device)!r}: {path} was compiled for the CPU; convert it to .dp and evaluate "
            "that with backend 'torch' to use another device"
        )
    try:
        # What is loaded goes to the default device, which anybody may have set.
        with _quiet(), torch.device("cpu"):
            run = _program(path)
    except Exception as error:  # the reader raises whatever it meets
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DPError(
            f"{path}: this version of PyTorch cannot run the program inside ({reason}); "
            "convert it again"
        ) from error
    names = [item.path for item in signature(document.model).inputs]

    def program(arrays: Mapping[str, np.ndarray]) -> Arrays:
        with torch.no_grad():
            outputs = run(*(adapter.asarray(arrays[name], device) for name in names))
        return {n: adapter.to_numpy(x) for n, x in zip(OUTPUTS, outputs, strict=True)}

    return ArtefactEngine(adapter, document, program, str(device))


def _program(path: Path) -> Callable[..., Sequence[torch.Tensor]]:
    with zipfile.ZipFile(path) as archive:
        compiled = any("/data/aotinductor/model/" in name for name in archive.namelist())
    if compiled:
        # As C++ does it; load_pt2 would first have a C++ compiler try out what the processor can do.
        loader = torch._C._aoti.AOTIModelPackageLoader(str(path), "model", False, 1, -1)  # noqa: SLF001
        return lambda *arrays: loader.run(list(arrays))
    module: Callable[..., Sequence[torch.Tensor]] = (
        load_pt2(str(path)).exported_programs["model"].module()
    )
    return module


def export(adapter: Adapter, model: EnergyModel) -> ExportedProgram:
    """Return the model as an exported program that leaves atom, neighbour and frame counts open."""
    inputs = signature(model)
    tensors = to_backend(adapter, prepare(model), torch.device("cpu"))
    names = [item.path for item in inputs.inputs]

    def run(*arrays: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out = predict(adapter, tensors, inputs.batch(dict(zip(names, arrays, strict=True))))
        return tuple(out[name] for name in OUTPUTS)

    example = tuple(torch.from_numpy(x) for x in inputs.example().values())
    # Axes of equal length would otherwise be taken for one and the same.
    with tracing.patch(use_duck_shape=False), _quiet():
        graph = make_fx(run, tracing_mode="symbolic", _allow_non_fake_inputs=True)(*example)
        return torch.export.export(graph, example, dynamic_shapes=_dynamic_shapes(inputs))


def _dynamic_shapes(inputs: Signature) -> tuple[dict[int, Any], ...]:
    dims = {axis: Dim(axis, min=2, max=inputs.limits.get(axis)) for axis in inputs.axes}
    return tuple(
        {i: dims[a] for i, a in enumerate(item.axes) if isinstance(a, str)}
        for item in inputs.inputs
    )


def _package(program: ExportedProgram) -> bytes:
    """Compile a program if the machine can, and return its archive."""
    archive = io.BytesIO()
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        log.warning("no C++ compiler found: the file holds the exported program, not compiled code")
        package_pt2(archive, exported_programs={"model": program})
        return archive.getvalue()
    options: dict[str, Any] = {"aot_inductor.package": True} | _processor()
    with _quiet():
        arguments = program.example_inputs[0] if program.example_inputs else ()
        files: Any = aot_compile(program.module(), arguments, options=options)
        package_pt2(archive, aoti_files={"model": files})
    return archive.getvalue()


def _processor() -> dict[str, Any]:
    capability = torch.backends.cpu.get_cpu_capability()
    portable = platform.machine() in {"x86_64", "AMD64"} and capability.startswith("AVX")
    return dict(_PORTABLE) if portable else {}


def _quiet() -> AbstractContextManager[Any]:
    """Return a context that hides the tracer's warnings about its own internals."""
    context = warnings.catch_warnings(action="ignore")
    return context
