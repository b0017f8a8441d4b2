"""Last hidden layers of fitting networks, and vectors of atom types."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch, Group
from dpcore.descriptors import Descriptor
from dpcore.errors import DPError
from dpcore.fittings import Fitting
from dpcore.frames import Floats, Frame
from dpcore.models import Model
from dpcore.models.survey import fitting_of, models_in
from dpcore.tree import inside


def type_embeddings(model: Model) -> NDArray[np.float64]:
    """Return the vectors of the atom types, and that of no type, ``(type + 1, width)``.

    Where there are several different embeddings of the types, their vectors are joined.

    Raises:
        DPError: there are none.
    """
    found: list[NDArray[np.float64]] = []
    for _, descriptor in inside(model, Descriptor):
        embedding = getattr(descriptor, "type_embedding", None)
        if embedding is None:
            continue
        vectors = np.asarray(embedding(), np.float64)
        if not any(np.array_equal(vectors, other) for other in found):
            found.append(vectors)
    if not found:
        raise DPError(
            "the model has no type embedding; its networks are told types apart by other means"
        )
    return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class LastHidden:
    """The last hidden layer of a model's fitting networks.

    Attributes:
        fitting: the fitting.
        types: the type that each type of the model, and last no type, is to the fitting.
    """

    fitting: Fitting
    types: NDArray[np.int64]

    @classmethod
    def of(cls, model: Model) -> "LastHidden":
        """Return that of a model; of one made of others that of the first that has a fitting.

        Raises:
            DPError: there is no fitting, or there is no one last layer for each atom.
        """
        if model.conditions.spin and not model.magnetic:
            raise DPError(
                f"a model of type {model.type_name!r} has networks for virtual atoms too; there is no one "
                "last layer for each atom"
            )
        found = _first(model)
        if found is None:
            raise DPError(f"a model of type {model.type_name!r} has no fitting network")
        return found

    def __call__(self, frame: Frame, descriptor: Floats) -> Floats:
        """Return what the layer gives for each atom, ``(atom, neuron[-1])``, zero where none is there.

        Args:
            frame: the atoms.
            descriptor: their descriptors, ``(atom, width)``.
        """
        types = self.types[frame.types]
        # By type, as the networks are.
        atoms = np.argsort(types, kind="stable")[np.count_nonzero(types < 0) :]
        batch = Batch(
            groups=tuple(_groups(types[atoms])),
            views=(),
            frame=np.zeros(len(atoms), np.int64),
            natoms=np.array([len(atoms)]),
            types=types[atoms],
            fparam=None if frame.fparam is None else frame.fparam[None],
            aparam=None if frame.aparam is None else frame.aparam[atoms],
        )
        rows = np.asarray(self.fitting.last_hidden(descriptor[atoms], batch), np.float64)
        whole = np.zeros((len(types), rows.shape[1]))
        whole[atoms] = rows
        return whole


def _groups(types: NDArray[np.int64]) -> Iterator[Group]:
    for t in np.unique(types):
        yield Group(type=int(t), place=np.flatnonzero(types == t))


def _first(model: Model) -> LastHidden | None:
    fitting = fitting_of(model)
    if fitting is not None:
        return LastHidden(fitting, np.append(np.arange(len(model.type_map)), -1))
    for part in models_in(model):
        found = _first(part)
        if found is not None:
            known = [part.type_map.index(n) if n in part.type_map else -1 for n in model.type_map]
            return replace(found, types=found.types[np.append(known, -1)])
    return None
