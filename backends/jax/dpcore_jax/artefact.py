"""`.jaxexport` files: the model with its forces as serialized StableHLO with symbolic sizes."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export as jax_export

from dpcore.backend import Adapter, to_backend
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer.artefact import ArtefactEngine
from dpcore.infer.engine import Arrays
from dpcore.infer.signature import Signature, signature
from dpcore.models import Model
from dpcore.models.prediction import predict
from dpcore.neighbours.sizes import RecurringSizes

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def write(adapter: Adapter, model: Model, document: bytes, path: Path) -> None:
    """Export the parts of a model and write them with its document."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in model.parts.items():
            archive.writestr(f"{name}.bin", _export(adapter, part.prepared()))
        archive.writestr("model.dp", document)


def _export(adapter: Adapter, model: Model) -> bytes:
    inputs = signature(model)
    with adapter.scope():
        tree = to_backend(adapter, model)
        function = jax.jit(lambda arrays: predict(adapter, tree, inputs.batch(arrays)))
        exported = jax_export.export(function, platforms=PLATFORMS)(_arguments(inputs))
    return bytes(exported.serialize())


def load(
    adapter: Adapter, path: Path, document: Document, device: Any
) -> dict[str, ArtefactEngine]:
    """Return the engines that run the parts of an exported file."""
    try:
        with zipfile.ZipFile(path) as archive:
            blobs = {name: archive.read(f"{name}.bin") for name in document.model.parts}
        return {
            name: _engine(adapter, part, blobs[name], device)
            for name, part in document.model.parts.items()
        }
    except Exception as error:  # the reader raises whatever it meets
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DPError(
            f"{path}: this version of JAX cannot run the program inside ({reason}); convert it again"
        ) from error


def _engine(adapter: Adapter, model: Model, blob: bytes, device: Any) -> ArtefactEngine:
    with adapter.scope():
        call = jax.jit(jax_export.deserialize(bytearray(blob)).call)

    def program(arrays: Mapping[str, np.ndarray]) -> Arrays:
        with adapter.scope():
            outputs = call({name: adapter.asarray(x, device) for name, x in arrays.items()})
            return {name: adapter.to_numpy(x) for name, x in outputs.items()}

    engine = ArtefactEngine(adapter, model, program, str(device))
    engine.sizes = RecurringSizes(exported=True)
    return engine


def _arguments(inputs: Signature) -> dict[str, jax.ShapeDtypeStruct]:
    constraints = [f"{axis} >= 2" for axis in inputs.axes]
    constraints += [f"{axis} <= {limit}" for axis, limit in inputs.limits.items()]
    symbols = dict(
        zip(
            inputs.axes,
            jax_export.symbolic_shape(", ".join(inputs.axes), constraints=constraints),
            strict=True,
        )
    )
    return {
        item.path: jax.ShapeDtypeStruct(
            tuple(symbols[a] if isinstance(a, str) else a for a in item.axes), item.dtype
        )
        for item in inputs.inputs
    }
