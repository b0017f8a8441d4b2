"""Making a model ready for inference: a function from tree to tree."""

from dpcore.models.energy import EnergyModel


def prepare(model: EnergyModel) -> EnergyModel:
    """Return the model with everything computed ahead that no input changes.

    The result predicts the same numbers; it is neither trained nor stored.
    """
    return model.with_(descriptor=model.descriptor.prepared())
