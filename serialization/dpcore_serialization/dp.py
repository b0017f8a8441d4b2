"""The `.dp` file: one HDF5 file that both dpcore and DeePMD-kit open (specified in docs/format.md).

Models that DeePMD-kit does not know, and compressed ones, are for dpcore alone.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dpcore import tree
from dpcore.errors import DPError
from dpcore.formats import Document, Unfinished
from dpcore.models import Model
from dpcore.models.branches import MultiTask
from dpcore_serialization.container import Contents, digest, image, read, verify, write
from dpcore_serialization.deepmd import UnwritableError, read_model, write_model
from dpcore_serialization.deepmd.arrays import map_variables
from dpcore_serialization.migrate import FORMAT, migrate
from dpcore_serialization.provenance import deepmd_provenance, deepmd_stamp, stamp


class DPFormat:
    """Read and write `.dp` files."""

    backend = "numpy"
    compiled = False

    def read(self, path: Path) -> Document:
        """Read a file written by dpcore or by DeePMD-kit."""
        contents = read(path)
        if "dpcore" in contents.headers:
            return _read_own(path, contents)
        if "json" in contents.headers:
            return _read_deepmd(path, contents)
        raise DPError(
            f"{path}: an HDF5 file, but not a model: it has neither a 'dpcore' nor a 'json' header"
        )

    def write(self, path: Path, document: Document) -> None:
        """Write a file that dpcore and, where it knows the model, DeePMD-kit read."""
        write(path, contents_of(document))


format = DPFormat()  # noqa: A001  # the name that formats are found by


def document_bytes(document: Document) -> bytes:
    """Return the file of a document as bytes, to be put inside another file."""
    return bytes(image(contents_of(document)))


def document_from_bytes(path: Path, data: bytes) -> Document:
    """Read a document that was found inside the file ``path``."""
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder, "model.dp")
        inner.write_bytes(data)
        try:
            return _document(path, read(inner))
        except DPError as error:
            raise DPError(str(error).replace(str(inner), f"{path}: the model.dp inside")) from error


def contents_of(document: Document) -> Contents:
    """Return the arrays and headers of a document's file."""
    values = {path: np.asarray(value) for path, value in tree.arrays(document.model).items()}
    places = {path: f"arrays/{path.replace('.', '/')}" for path in values}
    foreign, constants = _foreign_header(document, places)
    training = document.training or Unfinished({}, {})
    state = {f"training/{path.replace('.', '/')}": x for path, x in training.arrays.items()}
    same = _same(document.model, values)
    stored = {places[path]: value for path, value in values.items() if path not in same}
    arrays = stored | constants | state
    own = {
        "format": FORMAT,
        "model": tree.describe(document.model),
        "type_map": list(document.model.type_map),
        "units": _units(document.model),
        "provenance": stamp(document.provenance),
        "sha256": {place: digest(value) for place, value in arrays.items()},
        "json_sha256": _sha256(foreign),
    }
    if same:
        own["same"] = same
    if document.training is not None:
        own["training"] = {"facts": training.facts, "arrays": list(training.arrays)}
    own["header_sha256"] = _sha256(_dump(own))
    headers = {"dpcore": _dump(own), "json": foreign, "software": "dpcore"}
    return Contents(arrays=arrays, headers={name: text for name, text in headers.items() if text})


def _units(model: Model) -> dict[str, str]:
    """Return the units of lengths and of what a model, or its branches, predict."""
    units = {"length": "Å"}
    for each in model.models if isinstance(model, MultiTask) else (model,):
        output = each.output
        units |= {output.total: output.unit}
        if output.differentiable:
            units |= {"force": f"{output.unit}/Å", "virial": output.unit}
    return units


def _same(model: Model, values: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return, for each array that branches of a model share, which stored one it is the same as."""
    if not isinstance(model, MultiTask):
        return {}
    first, same = dict[tuple[object, ...], str](), dict[str, str]()
    for path, value in values.items():
        # An array is never the same as one of the same branch, which has that for itself.
        inner = path.removeprefix("models.").partition(".")[2]
        key = (inner, value.shape, str(value.dtype), digest(value))
        if first.setdefault(key, path) != path:
            same[path] = first[key]
    return same


def _foreign_header(
    document: Document, places: Mapping[str, str]
) -> tuple[str, dict[str, np.ndarray]]:
    """Return DeePMD-kit's header and the arrays that are for it alone: its form of some settings.

    Both are empty for models that it does not know.
    """
    paths = {path: f"/{place}" for path, place in places.items()}
    constants: dict[str, np.ndarray] = {}

    def placed(entry: Any) -> Any:
        if not isinstance(entry, np.ndarray):
            return entry
        name = f"constants/{len(constants)}"
        constants[name] = entry
        return f"/{name}"

    try:
        model = map_variables(write_model(tree.replace(document.model, paths)), placed)
    except UnwritableError:
        return "", {}
    header = {
        **deepmd_stamp(document.provenance),
        "model": model,
    }
    return _dump(header), constants


def _document(path: Path, contents: Contents) -> Document:
    if "dpcore" in contents.headers:
        return _read_own(path, contents)
    if "json" in contents.headers:
        return _read_deepmd(path, contents)
    raise DPError(
        f"{path}: an HDF5 file, but no model: it has neither a 'dpcore' nor a 'json' header"
    )


def _read_own(path: Path, contents: Contents) -> Document:
    header = _load(path, contents.headers["dpcore"], "dpcore")
    _check_version(path, header.get("format"))
    expected = header.pop("header_sha256", None)
    if _sha256(_dump(header)) != expected:
        raise DPError(
            f"{path}: the header is damaged (its sha256 differs); restore the file from a copy"
        )
    if _sha256(contents.headers.get("json", "")) != header.get("json_sha256"):
        raise DPError(
            f"{path}: the 'json' header is damaged (its sha256 differs); restore the file from a copy"
        )
    for key in ("model", "sha256"):
        if not isinstance(header.get(key), dict):
            raise DPError(
                f"{path}: the 'dpcore' header has no table {key!r}; the file is no whole model"
            )
    verify(contents.arrays, header["sha256"], path)
    spec, arrays = migrate(header["format"], header["model"], contents.arrays)
    try:
        same = dict(header.get("same", {}))

        def array(place: str) -> Any:
            return arrays[f"arrays/{same.get(place, place).replace('.', '/')}"]

        model = tree.build(spec, array)
    except KeyError as error:
        raise DPError(f"{path}: the array {error.args[0]!r} is missing") from error
    except DPError as error:
        raise DPError(f"{path}: {error}") from error
    training = _unfinished(path, header.get("training"), contents.arrays)
    return Document(_whole_model(path, model), header.get("provenance", {}), training)


def _unfinished(path: Path, told: Any, arrays: Mapping[str, np.ndarray]) -> Unfinished | None:
    """Return the state of a training run, where a header tells of one."""
    if told is None:
        return None
    try:
        names, facts = told["arrays"], dict(told["facts"])
        return Unfinished(
            facts, {name: arrays[f"training/{name.replace('.', '/')}"] for name in names}
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DPError(f"{path}: the state of training inside is damaged ({error!r})") from error


def _check_version(path: Path, found: Any) -> None:
    if not isinstance(found, int) or not 1 <= found <= FORMAT:
        raise DPError(
            f"{path}: file format {found!r}; this version of dpcore reads 1 to {FORMAT}: update dpcore"
        )


def _read_deepmd(path: Path, contents: Contents) -> Document:
    header = _load(path, contents.headers["json"], "json")

    def array(place: Any) -> Any:
        if not isinstance(place, str) or place.removeprefix("/") not in contents.arrays:
            raise DPError(
                f"{path}: the header names the array {place!r}, which the file does not have"
            )
        return contents.arrays[place.removeprefix("/")]

    header = map_variables(header, array)
    if "model" not in header:
        raise DPError(f"{path}: the 'json' header has no 'model'; it is no DeePMD-kit model")
    try:
        model = read_model(header["model"])
    except DPError as error:
        raise DPError(f"{path}: {error}") from error
    return Document(model, deepmd_provenance(path, header))


def _whole_model(path: Path, model: Any) -> Model:
    if not isinstance(model, Model):
        raise DPError(f"{path}: holds a {type(model).__name__}, not a whole model")
    return model


def _load(path: Path, text: str, name: str) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DPError(
            f"{path}: the {name!r} header is damaged ({error}); restore the file from a copy"
        ) from error
    if not isinstance(header, dict):
        raise DPError(f"{path}: the {name!r} header is not a table; the file is no model")
    return header


def _dump(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
