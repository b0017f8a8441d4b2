"""The adapter under test: tests are skipped where TensorFlow is missing, but fail in continuous integration."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "consistency_tests"))
# TensorFlow's compiler writes hundreds of lines of notes past Python's logging.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from harness import Backend


@pytest.fixture(scope="session")
def adapter():
    return Backend.TENSORFLOW.required().adapter()


@pytest.fixture(scope="session")
def tf(adapter):  # noqa: ARG001  # asks for TensorFlow
    import tensorflow as tf

    return tf
