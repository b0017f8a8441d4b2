"""How many atoms are best evaluated together."""

from dpcore.descriptors.descriptor import Descriptor
from dpcore.models import Model
from dpcore.tree import inside

# Large enough for matrix products, small enough for cache and memory: without kernels the rows of all
# embeddings are held at once.
_ATOMS, _ATOMS_FUSED = 512, 1024
# What a processor's caches, and the memory of other devices, bear of such rows.
_ROWS, _ROWS_OF_DEVICES = 1 << 17, 1 << 21


def batch_atoms(model: Model, device: str = "cpu") -> int:
    """Return how many atoms of a model are best evaluated together.

    Args:
        model: the model, made ready.
        device: where it is evaluated, in words.
    """
    most = _ATOMS_FUSED if model.is_fused else _ATOMS
    needed = max((part.rows for _, part in inside(model, Descriptor)), default=1)
    rows = _ROWS if device.startswith("cpu") else _ROWS_OF_DEVICES
    return max(1, min(most, rows // max(needed, 1)))
