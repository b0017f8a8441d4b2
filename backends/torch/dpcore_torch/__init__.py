"""PyTorch: torch tensors, forces by autograd, ahead-of-time compiled `.pt2` files."""

from dpcore_torch.adapter import TorchAdapter

__all__ = ["TorchAdapter", "adapter"]

adapter = TorchAdapter()
