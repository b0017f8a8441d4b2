"""JAX: jax arrays, jit by default, serialized StableHLO in `.jaxexport` files."""

from dpcore_jax.adapter import JaxAdapter

__all__ = ["JaxAdapter", "adapter"]

adapter = JaxAdapter()
