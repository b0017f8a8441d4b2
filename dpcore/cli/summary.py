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
from dpcore.tree import Leaf, Module, Settings, Tree, leaves

if TYPE_CHECKING:
    from dpcore.formats import Document
    from dpcore.models import Model


@dataclass(frozen=True)
class ModelFile:
    """A model file that was read.

    Attributes:
        path: the file.
        document: what it holds.
    """

    path: Path
    document: "Document"

    @property
    def branches(self) -> tuple[str, ...]:
        """The names of the branches of a multi-task model; none of others."""
        from dpcore.models.branches import MultiTask

        model = self.document.model
        return model.names if isinstance(model, MultiTask) else ()


def summary(file: ModelFile, sections: list[str]) -> dict[str, Any]:
    """Return what is known about a model, by section, as JSON data."""
    return {name: _section(file, name) for name in sections}


def _section(file: ModelFile, name: str) -> Any:
    """Return a section, that of each branch of a multi-task model by name."""
    from dpcore.infer.head import with_head

    if name in OF_ALL or not file.branches:
        return SECTIONS[name](file)
    heads = {head: with_head(file.document, head, file.path) for head in file.branches}
    return {head: SECTIONS[name](ModelFile(file.path, own)) for head, own in heads.items()}


def _file(file: ModelFile) -> dict[str, Any]:
    return {"path": str(file.path), "bytes": size_of(file.path)}


def _model(file: ModelFile) -> dict[str, Any]:
    from dpcore.compress import is_compressed

    model = file.document.model
    known = {
        "kind": model.type_name,
        "predicts": _prediction(model),
        "precision": sorted({str(leaf.value.dtype) for leaf in _parameters(model).values()}),
        "rcut": model.rcut,
        "sel": _sel(model),
        **dc.asdict(model.conditions),
        "compressed": is_compressed(model),
        **{key: value for key, value in _settings(model).items() if key != "type_map"},
    }
    parts = _parts(model)
    return known | {"parts": parts} if parts else known


def _prediction(model: "Model") -> str:
    """Return what a model predicts, in words."""
    output = model.output
    sizes = " x ".join(str(n) for n in output.shape)
    size = "" if output.size == 1 else f", {sizes} numbers"
    of_frame = "mean" if output.intensive else "sum"
    forces = ", with forces and virials" if output.differentiable else ""
    unit = f" in {output.unit}" if output.unit else ""
    return f"{output.total}{unit}{size}: the {of_frame} of {output.atomic}{forces}"


def _sel(model: "Model") -> Any:
    """Return the largest numbers of neighbours, of each selection where there are several."""
    found = [s.most if s.mixed else list(s.sel) for s in model.selections]
    return found[0] if len(found) == 1 else found


def _parts(model: "Model") -> dict[str, Any]:
    """Return what the models inside a model are made of, by path."""
    from dpcore.models import Model
    from dpcore.tree import inside

    return {
        path: {"kind": part.type_name, "type_map": list(part.type_map), "rcut": part.rcut}
        | {k: v for k, v in _settings(part).items() if k != "type_map"}
        for path, part in inside(model, Model)
        if path
    }


def _branches(file: ModelFile) -> dict[str, Any]:
    from dpcore.models.branches import MultiTask

    model = file.document.model
    if not isinstance(model, MultiTask):
        return {"task": "single-task model", "branches": []}
    others = {
        name: list(others)
        for name, others in zip(model.names, model.other_names, strict=True)
        if others
    }
    return {"task": "multi-task model", "branches": list(model.names), "aliases": others}


def _type_map(file: ModelFile) -> list[str]:
    return list(file.document.model.type_map)


def _descriptors(file: ModelFile) -> dict[str, Any]:
    from dpcore.descriptors import Descriptor

    return _components(file.document.model, Descriptor)


def _fittings(file: ModelFile) -> dict[str, Any]:
    from dpcore.fittings import Fitting

    return _components(file.document.model, Fitting)


def _components(model: Module, kind: type[Module]) -> dict[str, Any]:
    """Return the settings of all components of a kind; by path if there are several or none at the top."""
    from dpcore.tree import inside

    found = list(inside(model, kind))
    outer = [path for path, _ in found]
    own = [(p, m) for p, m in found if not any(p.startswith(f"{other}.") for other in outer)]
    described = {path: _described(module, kind) for path, module in own}
    return described[own[0][0]] if len(own) == 1 and "." not in own[0][0] else described


def _described(module: Module, kind: type[Module]) -> dict[str, Any]:
    """Return the settings of a component, and those of its children of the same kind."""
    from dpcore.tree import inside

    below = {
        path: {"type": m.type_name, **_settings(m)} for path, m in inside(module, kind) if path
    }
    return {"type": module.type_name, **_settings(module), **below}


def _size(file: ModelFile) -> dict[str, Any]:
    from dpcore.models.survey import parameter_counts

    return parameter_counts(file.document.model)


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
    known, step = file.document.provenance, file.document.step
    told = {key: value for key, value in known.items() if key != "model_def_script"}
    return told if step is None else told | {"step": step}


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
    "descriptor": _descriptors,
    "fitting-net": _fittings,
    "size": _size,
    "observed-type": _observed,
    "provenance": _provenance,
    "model-def-script": _script,
    "serialization-tree": _tree,
}


# Sections that are of the file, whatever its branches.
OF_ALL = ("file", "model-branch", "provenance", "serialization-tree")


def _parameters(model: Tree) -> dict[str, Leaf]:
    return {path: leaf for path, leaf in leaves(model).items() if leaf.role == "param"}


def _settings(module: Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in dc.fields(module):  # type: ignore[arg-type, unused-ignore]
        value, documented = getattr(module, field.name), "doc" in field.metadata
        if isinstance(value, Settings):
            inner = _settings(value)
            found |= {field.name: inner} if documented else inner
        elif documented:
            found[field.name] = value
    return found


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
