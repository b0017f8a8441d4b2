"""Processes that exchange tensors."""

import torch
import torch.distributed as dist

from dpcore.train.workers import Place


class TorchWorkers:
    """The process group of PyTorch: NCCL where there are GPUs, Gloo elsewhere.

    Args:
        place: which process this is.
        device: where its tensors are.
    """

    def __init__(self, place: Place, device: torch.device) -> None:
        self.place = place
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            init_method=f"tcp://{place.address}:{place.port}",
            rank=place.rank,
            world_size=place.size,
        )

    def mean(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean over all processes."""
        total = x.detach().clone()
        dist.all_reduce(total)
        return total / self.place.size

    def close(self) -> None:
        """Take leave of the others."""
        dist.destroy_process_group()
