"""Evaluation through torch.compile, for those who ask for it."""

from collections.abc import Callable
from typing import Any

import torch
from torch.fx.experimental import _config as tracing
from torch.fx.experimental.proxy_tensor import make_fx

from dpcore import tree

# PyTorch 2.13 writes over the parts of a concatenation that are still to be read where it uses its memory
# again: sums over a list of edges came out wrong. Without, programs are as fast.
OPTIONS: dict[str, Any] = {"allow_buffer_reuse": False}


def compile_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function(model, batch)`` compiled, once for each structure of a batch, for open sizes."""
    compiled: dict[str, Callable[..., dict[str, torch.Tensor]]] = {}

    def call(model: tree.Tree, batch: tree.Tree) -> dict[str, torch.Tensor]:
        key, inputs = tree.structure(batch), tree.arrays(batch)
        # Axes of equal length would otherwise be taken for one and the same.
        with tracing.patch(use_duck_shape=False):
            if key not in compiled:
                compiled[key] = _compile(function, model, batch)
            return compiled[key](*inputs.values())

    return call


def _compile(
    function: Callable[..., Any], model: tree.Tree, batch: tree.Tree
) -> Callable[..., dict[str, torch.Tensor]]:
    frame, names = tree.skeleton(batch), list(tree.arrays(batch))

    def run(*arrays: torch.Tensor) -> Any:
        return function(model, tree.replace(frame, dict(zip(names, arrays, strict=True))))

    # The gradient is traced first because torch.compile does not look inside torch.autograd.grad.
    trace = make_fx(run, tracing_mode="symbolic", _allow_non_fake_inputs=True)
    graph: Callable[..., Any] = torch.compile(
        trace(*tree.arrays(batch).values()), dynamic=True, options=OPTIONS
    )
    return graph
