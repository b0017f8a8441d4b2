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
from dpcore.models import Model
from dpcore.models.prediction import predict, predicted_names
from dpcore_torch.compiled import OPTIONS

log = logging.getLogger(__name__)

# Any x86-64 processor with AVX2 runs the file, not the one it was compiled on alone.
_PORTABLE = {"cpp.march": "x86-64-v3", "cpp.simdlen": 256}


def write(adapter: Adapter, model: Model, document: bytes, path: Path) -> None:
    """Compile the parts of a model and write them with its document."""
    programs = {name: export(adapter, part.prepared()) for name, part in model.parts.items()}
    archive = io.BytesIO(_package(programs))
    with zipfile.ZipFile(archive, "a") as file:
        root = file.namelist()[0].partition("/")[0]
        file.writestr(f"{root}/dpcore/model.dp", document)
    path.write_bytes(archive.getvalue())


def load(
    adapter: Adapter, path: Path, document: Document, device: torch.device
) -> dict[str, ArtefactEngine]:
    """Return the engines that run the parts of a compiled file."""
    if device.type != "cpu":
        raise DPError(
            f"device {str(device)!r}: {path} was compiled for the CPU; convert it to .dp and evaluate "
            "that with backend 'torch' to use another device"
        )
    try:
        # What is loaded goes to the default device, which anybody may have set.
        with _quiet(), torch.device("cpu"):
            return {
                name: _engine(adapter, part, _program(path, name), device)
                for name, part in document.model.parts.items()
            }
    except Exception as error:  # the reader raises whatever it meets
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DPError(
            f"{path}: this version of PyTorch cannot run the program inside ({reason}); "
            "convert it again"
        ) from error


def _engine(
    adapter: Adapter, model: Model, run: Callable[..., Sequence[torch.Tensor]], device: torch.device
) -> ArtefactEngine:
    names = [item.path for item in signature(model.prepared()).inputs]
    outputs = predicted_names(model)

    def program(arrays: Mapping[str, np.ndarray]) -> Arrays:
        with torch.no_grad():
            found = run(*(adapter.asarray(arrays[name], device) for name in names))
        return {n: adapter.to_numpy(x) for n, x in zip(outputs, found, strict=True)}

    return ArtefactEngine(adapter, model, program, str(device))


def _program(path: Path, name: str) -> Callable[..., Sequence[torch.Tensor]]:
    with zipfile.ZipFile(path) as archive:
        compiled = any(f"/data/aotinductor/{name}/" in member for member in archive.namelist())
    if compiled:
        # As C++ does it; load_pt2 would first have a C++ compiler try out what the processor can do.
        loader = torch._C._aoti.AOTIModelPackageLoader(str(path), name, False, 1, -1)  # noqa: SLF001
        return lambda *arrays: loader.run(list(arrays))
    module: Callable[..., Sequence[torch.Tensor]] = (
        load_pt2(str(path)).exported_programs[name].module()
    )
    return module


def export(adapter: Adapter, model: Model) -> ExportedProgram:
    """Return a prepared model as an exported program that leaves all counts open."""
    inputs = signature(model)
    tensors = to_backend(adapter, model, torch.device("cpu"))
    names = [item.path for item in inputs.inputs]

    def run(*arrays: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out = predict(adapter, tensors, inputs.batch(dict(zip(names, arrays, strict=True))))
        return tuple(out[name] for name in predicted_names(model))

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


def _package(programs: Mapping[str, ExportedProgram]) -> bytes:
    """Compile programs if the machine can, and return their archive."""
    archive = io.BytesIO()
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        log.warning("no C++ compiler found: the file holds the exported program, not compiled code")
        package_pt2(archive, exported_programs=dict(programs))
        return archive.getvalue()
    with _quiet():
        files: Any = {name: _compiled(program) for name, program in programs.items()}
        package_pt2(archive, aoti_files=files)
    return archive.getvalue()


def _compiled(program: ExportedProgram) -> Any:
    options: dict[str, Any] = {"aot_inductor.package": True} | OPTIONS | _processor()
    arguments = program.example_inputs[0] if program.example_inputs else ()
    return aot_compile(program.module(), arguments, options=options)


def _processor() -> dict[str, Any]:
    capability = torch.backends.cpu.get_cpu_capability()
    portable = platform.machine() in {"x86_64", "AMD64"} and capability.startswith("AVX")
    return dict(_PORTABLE) if portable else {}


def _quiet() -> AbstractContextManager[Any]:
    """Return a context that hides the tracer's warnings about its own internals."""
    context = warnings.catch_warnings(action="ignore")
    return context
