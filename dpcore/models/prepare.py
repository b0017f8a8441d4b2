"""Making a model ready for inference: a function from tree to tree."""

from collections.abc import Collection

from dpcore.models.energy import EnergyModel


def prepare(
    model: EnergyModel, *, tables: bool = False, kernels: Collection[str] = ()
) -> EnergyModel:
    """Return the model with everything computed ahead that no input changes.

    The result predicts the same numbers; it is neither trained nor stored.

    Args:
        model: a model with NumPy arrays.
        tables: replace embedding networks by tables that agree with them to rounding.
        kernels: embeddings that the backend has fused kernels for, to be evaluated by them.
    """
    return model.with_(descriptor=model.descriptor.prepared(tables=tables, kernels=kernels))
