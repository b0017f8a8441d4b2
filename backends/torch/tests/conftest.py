"""The adapter under test: tests are skipped where PyTorch is missing, but fail in continuous integration."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "consistency_tests"))

from harness import Backend


@pytest.fixture(scope="session")
def adapter():
    return Backend.TORCH.required().adapter()


@pytest.fixture(scope="session")
def torch(adapter):  # noqa: ARG001  # asks for PyTorch
    import torch

    return torch
