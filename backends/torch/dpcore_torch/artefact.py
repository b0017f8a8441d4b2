"""`.pt2` files: the model with its forces, traced, exported and compiled ahead of time."""

import logging
from typing import TYPE_CHECKING, Any

import torch
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as tracing
from torch.fx.experimental.proxy_tensor import make_fx

from dpcore.formats import Document
from dpcore.infer.signature import Signature, signature
from dpcore.models.prediction import predict

if TYPE_CHECKING:
    from dpcore_torch.adapter import TorchAdapter

log = logging.getLogger(__name__)

OUTPUTS = ("energy", "atom_energy", "force", "virial", "atom_virial")


def export(adapter: "TorchAdapter", document: Document) -> ExportedProgram:
    """Return the model as an exported program with atom, neighbour and frame counts left open."""
    inputs = signature(document.model)
    model = adapter.tree(document.model)
    names = [item.path for item in inputs.inputs]

    def run(*arrays: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out = predict(adapter, model, inputs.batch(dict(zip(names, arrays, strict=True))))
        return tuple(out[name] for name in OUTPUTS)

    example = tuple(torch.from_numpy(x) for x in inputs.example().values())
    # Axes of equal length would otherwise be taken for one and the same.
    with tracing.patch(use_duck_shape=False):
        graph = make_fx(run, tracing_mode="symbolic", _allow_non_fake_inputs=True)(*example)
    return torch.export.export(graph, example, dynamic_shapes=_dynamic_shapes(inputs))


def _dynamic_shapes(inputs: Signature) -> tuple[dict[int, Any], ...]:
    dims = {axis: Dim(axis, min=2, max=inputs.limits.get(axis)) for axis in inputs.axes}
    return tuple(
        {i: dims[a] for i, a in enumerate(item.axes) if isinstance(a, str)}
        for item in inputs.inputs
    )
