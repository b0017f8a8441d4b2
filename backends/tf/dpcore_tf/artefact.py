"""SavedModels: the model with its forces as a TensorFlow graph with open sizes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dpcore.backend import Adapter, to_backend
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.infer.artefact import ArtefactEngine
from dpcore.infer.engine import Arrays
from dpcore.infer.signature import Signature, signature
from dpcore.models import Model
from dpcore.models.prediction import predict

# The signature that other programs look for is that of a model in one part.
_KEYS = {"model": "serving_default"}


def write(adapter: Adapter, model: Model, document: bytes, path: Path) -> None:
    """Trace the parts of a model and write them with its document."""
    module, signatures = tf.Module(), {}
    for name, part in model.parts.items():
        function, concrete = _trace(adapter, part.prepared())
        # The module keeps alive what its signatures refer to.
        setattr(module, f"predict_{name}", function)
        signatures[_KEYS.get(name, name)] = concrete
    tf.saved_model.save(module, str(path), signatures=signatures)
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / "model.dp").write_bytes(document)


def _trace(adapter: Adapter, model: Model) -> tuple[Any, Any]:
    inputs = signature(model)
    tree = to_backend(adapter, model, adapter.device("cpu"))
    paths = {item.name: item.path for item in inputs.inputs}

    def run(**arrays: Any) -> dict[str, Any]:
        batch = inputs.batch({paths[name]: x for name, x in arrays.items()})
        return predict(adapter, tree, batch)

    function = tf.function(run, autograph=False)
    return function, function.get_concrete_function(**_arguments(inputs))


def load(
    adapter: Adapter, path: Path, document: Document, device: str
) -> dict[str, ArtefactEngine]:
    """Return the engines that run the parts of a SavedModel."""
    try:
        loaded = tf.saved_model.load(str(path))
        return {
            name: _engine(adapter, part, loaded, _KEYS.get(name, name), device)
            for name, part in document.model.parts.items()
        }
    except Exception as error:  # the reader raises whatever it meets
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DPError(
            f"{path}: this version of TensorFlow cannot run the program inside ({reason}); "
            "convert it again"
        ) from error


def _engine(adapter: Adapter, model: Model, loaded: Any, key: str, device: str) -> ArtefactEngine:
    run = loaded.signatures[key]
    names = {item.path: item.name for item in signature(model.prepared()).inputs}

    def program(arrays: Mapping[str, np.ndarray]) -> Arrays:
        # The signature lives as long as the object it was loaded with.
        assert loaded is not None
        outputs = run(**{names[path]: adapter.asarray(x, device) for path, x in arrays.items()})
        return {name: adapter.to_numpy(x) for name, x in outputs.items()}

    return ArtefactEngine(adapter, model, program, device)


def _arguments(inputs: Signature) -> dict[str, Any]:
    return {
        item.name: tf.TensorSpec(
            [None if isinstance(a, str) else a for a in item.axes], item.dtype, name=item.name
        )
        for item in inputs.inputs
    }
