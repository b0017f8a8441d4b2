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
from dpcore.models.energy import EnergyModel
from dpcore.models.prediction import predict
from dpcore.models.prepare import prepare


def write(adapter: Adapter, model: EnergyModel, document: bytes, path: Path) -> None:
    """Trace a model and write it with its document."""
    inputs = signature(model)
    tree = to_backend(adapter, prepare(model), adapter.device("cpu"))
    paths = {item.name: item.path for item in inputs.inputs}

    def run(**arrays: Any) -> dict[str, Any]:
        batch = inputs.batch({paths[name]: x for name, x in arrays.items()})
        return predict(adapter, tree, batch)

    module = tf.Module()
    module.predict = tf.function(run, autograph=False)
    concrete = module.predict.get_concrete_function(**_arguments(inputs))
    tf.saved_model.save(module, str(path), signatures={"serving_default": concrete})
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / "model.dp").write_bytes(document)


def load(adapter: Adapter, path: Path, document: Document, device: str) -> ArtefactEngine:
    """Return the engine that runs a SavedModel."""
    try:
        loaded = tf.saved_model.load(str(path))
        run = loaded.signatures["serving_default"]
    except Exception as error:  # the reader raises whatever it meets
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DPError(
            f"{path}: this version of TensorFlow cannot run the program inside ({reason}); "
            "convert it again"
        ) from error
    names = {item.path: item.name for item in signature(document.model).inputs}

    def program(arrays: Mapping[str, np.ndarray]) -> Arrays:
        # The signature lives as long as the object it was loaded with.
        assert loaded is not None
        outputs = run(**{names[path]: adapter.asarray(x, device) for path, x in arrays.items()})
        return {name: adapter.to_numpy(x) for name, x in outputs.items()}

    return ArtefactEngine(adapter, document, program, device)


def _arguments(inputs: Signature) -> dict[str, Any]:
    return {
        item.name: tf.TensorSpec(
            [None if isinstance(a, str) else a for a in item.axes], item.dtype, name=item.name
        )
        for item in inputs.inputs
    }
