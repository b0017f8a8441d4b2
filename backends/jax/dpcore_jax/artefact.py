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
from dpcore.models.energy import EnergyModel
from dpcore.models.prediction import predict
from dpcore.models.prepare import prepare
from dpcore.neighbours.sizes import RecurringSizes

PROGRAM = "predict.bin"
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def write(adapter: Adapter, model: EnergyModel, document: bytes, path: Path) -> None:
    """Export a model and write it with its document."""
    inputs = signature(model)
    with adapter.scope():
        tree = to_backend(adapter, prepare(model))
        function = jax.jit(lambda arrays: predict(adapter, tree, inputs.batch(arrays)))
        exported = jax_export.export(function, platforms=PLATFORMS)(_arguments(inputs))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(PROGRAM, bytes(exported.serialize()))
        archive.writestr("model.dp", document)


def load(adapter: Adapter, path: Path, document: Document, device: Any) -> ArtefactEngine:
    """Return the engine that runs an exported file."""
    try:
        with zipfile.ZipFile(path) as archive, adapter.scope():
            blob = bytearray(archive.read(PROGRAM))
            call = jax.jit(jax_export.deserialize(blob).call)
    except Exception as error:  # the reader raises whatever it meets
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DPError(
            f"{path}: this version of JAX cannot run the program inside ({reason}); convert it again"
        ) from error

    def program(arrays: Mapping[str, np.ndarray]) -> Arrays:
        with adapter.scope():
            outputs = call({name: adapter.asarray(x, device) for name, x in arrays.items()})
            return {name: adapter.to_numpy(x) for name, x in outputs.items()}

    engine = ArtefactEngine(adapter, document, program, str(device))
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
