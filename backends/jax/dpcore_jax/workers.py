"""Processes that exchange arrays."""

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dpcore.train.workers import Place

_AXIS = "worker"


class JaxWorkers:
    """The processes of ``jax.distributed``, one device each.

    Args:
        place: which process this is.
        device: where its arrays are.
    """

    def __init__(self, place: Place, device: Any) -> None:
        self.place, self._device = place, device
        devices = [
            next(d for d in jax.devices() if d.process_index == i) for i in range(place.size)
        ]
        mesh = Mesh(np.array(devices), (_AXIS,))
        self._shared = NamedSharding(mesh, PartitionSpec(_AXIS))
        whole = NamedSharding(mesh, PartitionSpec())
        self._mean = jax.jit(lambda x: x.mean(axis=0), out_shardings=whole)

    @staticmethod
    def start(place: Place) -> None:
        """Meet the other processes: before JAX is asked for anything else."""
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        # At the port itself torchrun listens, where that has started the processes.
        address = f"{place.address}:{place.port + 1}"
        own = [place.local_rank]
        jax.distributed.initialize(address, place.size, place.rank, local_device_ids=own)

    def mean(self, x: jax.Array) -> jax.Array:
        """Return the mean over all processes."""
        with jax.enable_x64(True):
            rows = jax.make_array_from_process_local_data(self._shared, np.asarray(x)[None])
            return jax.device_put(self._mean(rows).addressable_data(0), self._device)

    def close(self) -> None:
        """Take leave of the others."""
        jax.distributed.shutdown()
