"""Processes that exchange tensors."""

import json
import os
from typing import Any

import tensorflow as tf

from dpcore.train.workers import Place
from dpcore_tf.meeting import addresses

# All processes are one group.
_GROUP = 1


class TensorFlowWorkers:
    """The workers of ``MultiWorkerMirroredStrategy``, which starts the servers of the exchange.

    Args:
        place: which process this is.
    """

    def __init__(self, place: Place) -> None:
        self.place, self._exchanges = place, 0
        gpus = tf.config.list_physical_devices("GPU")
        tf.config.set_visible_devices(gpus[place.local_rank : place.local_rank + 1], "GPU")
        cluster = {"worker": addresses(place)}
        task = {"type": "worker", "index": place.rank}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        self._total = tf.function(self._summed, autograph=False)

    def mean(self, x: Any) -> Any:
        """Return the mean over all processes."""
        return self._total(x) / self.place.size

    def _summed(self, x: Any) -> Any:
        # Traced once for each shape, in the same order by all: the number tells their exchanges apart.
        self._exchanges += 1
        return tf.raw_ops.CollectiveReduceV2(
            input=x,
            group_size=self.place.size,
            group_key=_GROUP,
            instance_key=self._exchanges,
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
        )

    def close(self) -> None:
        """Do nothing: the servers go with the process."""
