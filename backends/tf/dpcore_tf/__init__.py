"""TensorFlow: tf tensors, tf.function by default, SavedModels."""

import os

# TensorFlow reports its own start-up at length; whoever wants to read that sets the variable.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from dpcore_tf.adapter import TensorFlowAdapter

__all__ = ["TensorFlowAdapter", "adapter"]

adapter = TensorFlowAdapter()
