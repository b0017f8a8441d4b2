"""What a model predicts."""

from dataclasses import dataclass, field
from math import prod


@dataclass(frozen=True)
class Output:
    """A property of atoms and its sum, or mean, over a frame.

    Attributes:
        total: name of the property of a frame.
        atomic: name of the property of an atom.
        shape: shape of either.
        unit: unit of either.
        differentiable: whether forces and virials are predicted: derivatives of each component.
        intensive: whether the frame's property is the mean over its atoms, not the sum.
        rank: number of axes of ``shape`` that rotate with the atoms: 0 for numbers, 1 for a vector.
        magnetic: whether derivatives by the spins are predicted too; the property is the same without.
    """

    total: str
    atomic: str
    shape: tuple[int, ...] = (1,)
    unit: str = ""
    differentiable: bool = False
    intensive: bool = False
    rank: int = 0
    magnetic: bool = field(default=False, compare=False)

    @property
    def size(self) -> int:
        """Number of components."""
        return prod(self.shape)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of everything that is predicted, in the order of exported programs."""
        derivatives = ("force", "virial", "atom_virial") if self.differentiable else ()
        return (self.total, self.atomic, *derivatives, *("force_mag",) * self.magnetic)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each prediction, of one atom or one frame.

        Derivatives of a vector have its axis before their own.
        """
        axis = () if self.size == 1 else (self.size,)
        shapes = {self.total: self.shape, self.atomic: self.shape}
        if self.differentiable:
            shapes |= {"force": (*axis, 3), "virial": (*axis, 9), "atom_virial": (*axis, 9)}
        if self.magnetic:
            shapes["force_mag"] = (*axis, 3)
        return shapes

    @property
    def per_frame(self) -> frozenset[str]:
        """Names of the predictions that belong to a frame rather than to an atom."""
        return frozenset({self.total, "virial"})


ENERGY = Output("energy", "atom_energy", unit="eV", differentiable=True)
