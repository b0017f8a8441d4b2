"""How many atoms are best evaluated together."""

from dpcore.backend.adapter import Capabilities
from dpcore.descriptors.descriptor import Descriptor
from dpcore.infer.assemble import ntypes_of
from dpcore.models import Model
from dpcore.tree import inside

# Large enough for matrix products, small enough for cache and memory: without kernels the rows of all
# embeddings are held at once.
_ATOMS, _ATOMS_FUSED = 512, 1024
# What the memory of other devices than processors bears of such rows.
_ROWS_OF_DEVICES = 1 << 21
# Compiled programs are slow on groups of fewer centres than this, if so many rows can be held for them.
_GROUP, _ROWS_OF_GROUPS = 8, 1 << 19


def batch_atoms(model: Model, capabilities: Capabilities, device: str = "cpu") -> int:
    """Return how many atoms of a model are best evaluated together.

    Args:
        model: the model, made ready.
        capabilities: what the backend is good at.
        device: where it is evaluated, in words.
    """
    most = _ATOMS_FUSED if model.is_fused else _ATOMS
    needed = max([1, *(part.rows for _, part in inside(model, Descriptor))])
    rows = capabilities.rows if device.startswith("cpu") else _ROWS_OF_DEVICES
    atoms = rows // needed
    if capabilities.jit:
        mixed = all(selection.mixed for selection in model.selections)
        groups = 1 if mixed else ntypes_of(model.selections)
        # Lengths are padded to multiples of 4.
        atoms = max(atoms - atoms % 4, min(_GROUP * groups, _ROWS_OF_GROUPS // needed))
    return max(1, min(most, atoms))
