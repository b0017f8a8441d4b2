"""Evaluation through torch.compile, for those who ask for it."""

from collections.abc import Callable
from typing import Any

import torch
from torch._inductor import custom_graph_pass
from torch._inductor.dependencies import MemoryDep, StarDep
from torch._inductor.scheduler import BaseSchedulerNode
from torch.fx.experimental import _config as tracing
from torch.fx.experimental.proxy_tensor import make_fx

from dpcore import tree

# Without this class, older versions of PyTorch take any function, and keep no programs.
_Pass: Any = getattr(custom_graph_pass, "CustomSchedulerPass", object)


class SumsBeforeReads(_Pass):  # type: ignore[misc]
    """Keep loops that read a sum over a list behind the loop that adds it up, whatever they are fused with.

    PyTorch 2.13 forgets that a buffer was written to when it reshapes a loop to fuse it with another
    (pytorch/pytorch#185509), and reads zeros before the sum: forces were wrong, energies were not. What it
    remembers is a dependence on a buffer as a whole.
    """

    def __call__(self, nodes: list[BaseSchedulerNode]) -> list[BaseSchedulerNode]:
        """Return the loops, with such a dependence where a buffer is read that was written to."""
        for node in nodes:
            written = set(node.mutation_renames.values())
            for read in list(node.read_writes.reads):
                if isinstance(read, MemoryDep) and read.name in written:
                    node.add_fake_dep(StarDep(read.name))
        return nodes

    def uuid(self) -> str:
        """Return what tells programs made this way from others that PyTorch keeps."""
        return "dpcore.sums_before_reads.1"


# PyTorch 2.13 writes over the parts of a concatenation that are still to be read where it uses its memory
# again: sums over a list of edges came out wrong. Without, programs are as fast.
OPTIONS: dict[str, Any] = {
    "allow_buffer_reuse": False,
    "_pre_fusion_custom_pass": SumsBeforeReads(),
}


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
