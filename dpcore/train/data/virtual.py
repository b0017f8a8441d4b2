"""Spins that are stored as virtual atoms, as DeePMD-kit 2 had them: a further atom for each magnetic one.

Behind the types of the model come those of the virtual atoms: of type ``t`` that is number ``ntypes + t``, and
its name, where there are names, ends in ``_spin``. A virtual atom lies where the spin of its atom points, and
has the magnetic force in place of a force.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dpcore.data.stored import Stored
from dpcore.errors import DPError
from dpcore.frames import Floats
from dpcore.train.data.sample import Sample
from dpcore.train.data.system import SystemSource


def with_virtual_types(type_map: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the types and, behind them, of their virtual atoms."""
    return (*type_map, *(f"{name}_spin" for name in type_map))


def has_virtual_atoms(stored: Stored, type_map: Sequence[str]) -> bool:
    """Return whether a system has virtual atoms, and no spins otherwise."""
    if any("spin" in part.items or "real_atom_types" in part.items for part in stored.sets):
        return False
    if stored.names is not None:
        return bool(set(stored.names) & {f"{name}_spin" for name in type_map})
    values = stored.types.values
    return bool(values.size and values.max() >= len(type_map))


class VirtualSource:
    """Frames of a system with virtual atoms, as frames with spins.

    Args:
        source: the frames as they are stored, by the types of :func:`with_virtual_types`.
        scale: displacement of a virtual atom over the spin by type, Å; 0 for types that are not magnetic.

    Raises:
        DPError: atoms without a virtual one, or virtual atoms without a spin.
    """

    def __init__(self, source: SystemSource, scale: Sequence[float]) -> None:
        self.path, self.nframes = source.path, source.nframes
        self._source, self._scale = source, np.array(scale, np.float64)
        types = source.samples([0])[0].frame.types
        self._real = np.flatnonzero(types < len(scale))
        self._partner = self._partners(types)
        self.atoms = np.broadcast_to(np.int32(len(self._real)), (self.nframes,))

    def natoms(self, number: int) -> int:
        """Return how many atoms a frame has, without virtual ones."""
        return int(self.atoms[number])

    def lacks(self, name: str) -> str | None:
        """Return where an array is missing, or None if all frames have it."""
        if name == "spin":
            return None
        return self._source.lacks("force" if name == "force_mag" else name)

    def copies(self) -> NDArray[np.int64]:
        """Return how often each frame is to be taken."""
        return self._source.copies()

    def samples(self, numbers: Sequence[int]) -> list[Sample]:
        """Read some frames."""
        return [self._folded(sample) for sample in self._source.samples(numbers)]

    def _partners(self, types: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the virtual atom of each atom, -1 for those that are not magnetic."""
        out = np.full(len(types), -1)
        for t, scale in enumerate(self._scale):
            atoms = np.flatnonzero(types == t)
            virtual = np.flatnonzero(types == t + len(self._scale))
            needed = len(atoms) if scale else 0
            if len(virtual) != needed:
                raise DPError(
                    f"{self.path}: {len(atoms)} atoms of type {t} have {len(virtual)} virtual atoms of type "
                    f"{t + len(self._scale)}; {needed} are needed: correct type.raw, or store spin.npy"
                )
            out[atoms] = virtual if scale else -1
        return out[self._real]

    def _folded(self, sample: Sample) -> Sample:
        frame, real = sample.frame, self._real
        labels = {
            name: values[real] if values.ndim == 2 else values
            for name, values in sample.labels.items()
            if name != "hessian"
        }
        if "force" in sample.labels:
            labels["force_mag"] = self._of_partners(sample.labels["force"])
        magnetic = (self._partner >= 0)[:, None]
        away = self._of_partners(frame.coord) - np.where(magnetic, frame.coord[real], 0.0)
        scale = np.where(magnetic, self._scale[frame.types[real]][:, None], 1.0)
        aparam = None if frame.aparam is None else frame.aparam[real]
        found = replace(
            frame,
            coord=frame.coord[real],
            types=frame.types[real],
            aparam=aparam,
            spin=away / scale,
        )
        return Sample(found, labels)

    def _of_partners(self, values: Floats) -> Floats:
        """Return what virtual atoms have at the places of their atoms, 0 at others."""
        return np.where((self._partner >= 0)[:, None], values[self._partner], 0.0)
