"""DeePMD-kit's `.yaml` models: the same dictionary as text."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore_serialization.atomic import replacing
from dpcore_serialization.deepmd import read_model, write_model
from dpcore_serialization.deepmd.arrays import map_variables
from dpcore_serialization.provenance import deepmd_provenance, deepmd_stamp

# The C versions are many times faster, but not everywhere.
_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SAFE_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_DEEPEST = 100

_DTYPES = ("float16", "float32", "float64", "bfloat16", "int32", "int64", "bool")


class YamlFormat:
    """Read and write `.yaml` files."""

    backend = "numpy"
    compiled = False

    def read(self, path: Path) -> Document:
        """Read a file written by DeePMD-kit or by :meth:`write`."""
        try:
            text = path.read_text(encoding="utf-8")
            _check_extent(path, text)
            data = yaml.load(text, Loader=_SAFE_LOADER)  # noqa: S506  # one of the safe loaders
        except FileNotFoundError:
            raise DPError(f"{path}: no such file") from None
        except DPError:
            raise
        # The last two: a scalar that is not what its tag or its look says.
        except (OSError, yaml.YAMLError, ValueError, AttributeError) as error:
            raise DPError(
                f"{path}: not readable as YAML: {' '.join(str(error).split())}"
            ) from error
        if not isinstance(data, dict) or "model" not in data:
            raise DPError(f"{path}: a YAML file, but no DeePMD-kit model: it has no 'model'")
        try:
            model = read_model(map_variables(data["model"], _array))
        except DPError as error:
            raise DPError(f"{path}: {error}") from error
        except RecursionError:
            raise DPError(f"{path}: an entry contains itself; the file is no model") from None
        return Document(model, deepmd_provenance(path, data))

    def write(self, path: Path, document: Document) -> None:
        """Write a file that dpcore and DeePMD-kit read."""
        try:
            model = write_model(document.model)
        except DPError as error:
            raise DPError(f"cannot write {path}: {error}") from error
        data = {
            **deepmd_stamp(document.provenance),
            "model": map_variables(model, _table),
        }
        text = yaml.dump(data, Dumper=_SAFE_DUMPER)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


format = YamlFormat()  # noqa: A001  # the name that formats are found by


def _check_extent(path: Path, text: str) -> None:
    """Refuse nesting and repetition that no model has, and that would exhaust the loader.

    Entries may be repeated by reference, as lists of types are, but never to more of them than the
    text has letters.
    """
    sizes, anchors, known = [0], list[str | None](), dict[str | None, int]()
    for event in yaml.parse(text, Loader=_SAFE_LOADER):
        if isinstance(event, yaml.AliasEvent):
            sizes[-1] += known.get(event.anchor, 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            size, anchor = sizes.pop(), anchors.pop()
            sizes[-1] += size
            known[anchor] = size
        elif isinstance(event, yaml.NodeEvent):
            sizes.append(1)
            anchors.append(event.anchor)
            if isinstance(event, yaml.ScalarEvent):
                known[anchors.pop()] = sizes.pop()
                sizes[-1] += 1
        if len(sizes) > _DEEPEST or sizes[-1] > len(text):
            raise DPError(f"{path}: nested too deep, or repeated too often, for a model")


def _array(entry: Any) -> np.ndarray:
    if not isinstance(entry, dict) or entry.get("@class") != "np.ndarray":
        raise DPError(f"model: {str(entry)[:40]!r} stands where an array is expected")
    if entry.get("dtype") not in _DTYPES:
        raise DPError(
            f"model: an array has the dtype {entry.get('dtype')!r}; allowed: {', '.join(_DTYPES)}"
        )
    try:
        return np.asarray(entry["value"], dtype=_numpy_dtype(entry["dtype"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DPError(f"model: an array is damaged ({error})") from error


def _table(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    wide = value.astype(np.float32) if value.dtype.name == "bfloat16" else value
    return {
        "@class": "np.ndarray",
        "@is_variable": True,
        "@version": 1,
        "dtype": value.dtype.name,
        "value": wide.tolist(),
    }


def _numpy_dtype(name: str) -> Any:
    if name == "bfloat16":
        import ml_dtypes

        return ml_dtypes.bfloat16
    return np.dtype(name)
