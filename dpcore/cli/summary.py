"""What ``dp show`` tells about a model file, as plain data.

The help of ``dp show`` names the sections, so nothing slow is imported here.
"""

import dataclasses as dc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpcore.cli.files import size_of
from dpcore.errors import DPError
from dpcore.tree import Leaf, Module, Tree, leaves

if TYPE_CHECKING:
    from dpcore.formats import Document

# Fields of the model tree that DeePMD-kit's users know under another name.
_NAMES = {"fitting": "fitting-net"}


@dataclass(frozen=True)
class ModelFile:
    """A model file that was read.

    Attributes:
        path: the file.
        document: what it holds.
    """

    path: Path
    document: "Document"


def summary(file: ModelFile, sections: list[str]) -> dict[str, Any]:
    """Return what is known about a model, by section, as JSON data."""
    return {name: SECTIONS[name](file) for name in sections}


def _file(file: ModelFile) -> dict[str, Any]:
    return {"path": str(file.path), "bytes": size_of(file.path)}


def _model(file: ModelFile) -> dict[str, Any]:
    from dpcore.compress import is_compressed

    model = file.document.model
    fitting, parameters = model.fitting, _parameters(model)
    return {
        "kind": model.type_name,
        "precision": sorted({str(leaf.value.dtype) for leaf in parameters.values()}),
        "rcut": model.selection.rcut,
        "sel": list(model.selection.sel),
        "numb_fparam": fitting.numb_fparam,
        "default_fparam": fitting.default_fparam,
        "numb_aparam": fitting.numb_aparam,
        "compressed": is_compressed(model),
        **{key: value for key, value in _settings(model).items() if key != "type_map"},
    }


def _branches(_: ModelFile) -> dict[str, Any]:
    return {"task": "single-task model", "branches": []}


def _type_map(file: ModelFile) -> list[str]:
    return list(file.document.model.type_map)


def _component(name: str) -> Callable[[ModelFile], dict[str, Any]]:
    def settings(file: ModelFile) -> dict[str, Any]:
        module = getattr(file.document.model, name)
        return {"type": module.type_name, **_settings(module)}

    return settings


def _size(file: ModelFile) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    total = {"trainable": 0, "total": 0}
    for path, leaf in _parameters(file.document.model).items():
        field = path.partition(".")[0]
        count = counts.setdefault(_NAMES.get(field, field), {"trainable": 0, "total": 0})
        for counted in (count, total):
            counted["total"] += int(leaf.value.size)
            counted["trainable"] += int(leaf.value.size) if leaf.trainable else 0
    return counts | {"total": total}


def _observed(file: ModelFile) -> dict[str, Any]:
    info = file.document.provenance.get("model_def_script", {}).get("info", {})
    seen = info.get("observed_type") if isinstance(info, Mapping) else None
    if isinstance(seen, list):
        return {"types": seen}
    return {
        "types": _type_map(file),
        "note": "the file does not tell which types the training data had: these are all it knows",
    }


def _provenance(file: ModelFile) -> dict[str, Any]:
    known = file.document.provenance
    return {key: value for key, value in known.items() if key != "model_def_script"}


def _script(file: ModelFile) -> Any:
    script = file.document.provenance.get("model_def_script")
    if script is None:
        raise DPError(f"{file.path}: the file does not hold the input that its model was made from")
    return script


def _tree(file: ModelFile) -> dict[str, Any]:
    return _branch(file.document.model)


SECTIONS: Mapping[str, Callable[[ModelFile], Any]] = {
    "file": _file,
    "model": _model,
    "model-branch": _branches,
    "type-map": _type_map,
    "descriptor": _component("descriptor"),
    "fitting-net": _component("fitting"),
    "size": _size,
    "observed-type": _observed,
    "provenance": _provenance,
    "model-def-script": _script,
    "serialization-tree": _tree,
}


def _parameters(model: Tree) -> dict[str, Leaf]:
    return {path: leaf for path, leaf in leaves(model).items() if leaf.role == "param"}


def _settings(module: Module) -> dict[str, Any]:
    fields = dc.fields(module)  # type: ignore[arg-type, unused-ignore]
    return {f.name: getattr(module, f.name) for f in fields if "doc" in f.metadata}


def _branch(module: Module) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    children: dict[str, Any] = {}
    for field in dc.fields(module):  # type: ignore[arg-type, unused-ignore]
        value, role = getattr(module, field.name), field.metadata.get("role")
        if role is not None and value is not None:
            arrays[field.name] = {
                "shape": list(value.shape),
                "dtype": str(value.dtype),
                "role": role,
            }
        elif isinstance(value, Module):
            children[field.name] = _branch(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Module):
            children |= {f"{field.name}.{i}": _branch(child) for i, child in enumerate(value)}
    return {"type": module.type_name, "arrays": arrays, "children": children}
