"""TensorFlow: tf tensors, tf.function by default, SavedModels."""

from dpcore_tf.adapter import TensorFlowAdapter

__all__ = ["TensorFlowAdapter", "adapter"]

adapter = TensorFlowAdapter()
