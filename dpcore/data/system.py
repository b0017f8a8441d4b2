"""One data system: frames that share a number of atoms, with their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Types = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class System:
    """Frames with the same number of atoms, and everything that is stored about them.

    Attributes:
        path: where the system was read from.
        atom_types: type of each atom, (natoms,), or (nframes, natoms) for a mixed-type system, in
            which -1 marks a padding atom.
        coord: coordinates in Å, (nframes, natoms, 3).
        cell: cell vectors in rows, in Å, (nframes, 3, 3); None for a system that is not periodic.
        labels: every other array by its file's name: ``energy`` (nframes, 1) in eV, ``force``
            (nframes, natoms, 3) in eV/Å, ``virial`` (nframes, 9) in eV, ``aparam`` (nframes, natoms, n),
            ``hessian`` (nframes, 3 natoms, 3 natoms), ...; a name that has no shape of its own, or that
            lists some atoms only, is (nframes, n).
        type_map: names that ``atom_types`` index, where known.
    """

    path: str
    atom_types: Types
    coord: Array
    cell: Array | None
    labels: Mapping[str, Array]
    type_map: tuple[str, ...] | None = None

    @property
    def nframes(self) -> int:
        """Number of frames."""
        return len(self.coord)

    @property
    def natoms(self) -> int:
        """Number of atoms of each frame, padding included."""
        return int(self.coord.shape[1])

    @property
    def periodic(self) -> bool:
        """Whether the frames have a cell."""
        return self.cell is not None

    @property
    def mixed(self) -> bool:
        """Whether each frame has its own atom types."""
        return self.atom_types.ndim == 2

    @property
    def there(self) -> NDArray[np.bool_]:
        """Whether each atom is there rather than padding, (nframes, natoms)."""
        return np.broadcast_to(self.atom_types >= 0, (self.nframes, self.natoms))

    def label(self, name: str) -> Array | None:
        """Return a label under either spelling of the atomic prefix, or None.

        Args:
            name: ``atom_dos`` finds ``atomic_dos`` too, and the reverse.
        """
        found = self.labels.get(name)
        return self.labels.get(other_spelling(name)) if found is None else found

    def take(self, frames: Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]) -> "System":
        """Return the system with the chosen frames only, as copies.

        Args:
            frames: indices in the wanted order, repeats allowed, or one boolean for each frame.
        """
        index = np.arange(self.nframes)[frames]
        return replace(
            self,
            atom_types=self.atom_types[index] if self.mixed else self.atom_types,
            coord=self.coord[index],
            cell=None if self.cell is None else self.cell[index],
            labels={name: values[index] for name, values in self.labels.items()},
        )


def other_spelling(name: str) -> str:
    """Return the name with ``atom_`` for ``atomic_`` or the reverse, else the name itself."""
    if name.startswith("atomic_"):
        return "atom_" + name.removeprefix("atomic_")
    return "atomic_" + name.removeprefix("atom_") if name.startswith("atom_") else name
