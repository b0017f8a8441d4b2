"""A model whose predictions are known, and systems to test it on."""

import numpy as np

from dpcore.data import System
from dpcore.models import ENERGY


class Known:
    """A model that predicts the given values; a frame's first coordinate is its number."""

    def __init__(self, predictions, fparam=0, aparam=0, default=False, output=ENERGY, spin=False):
        self.predictions, self.output, self.has_spin = predictions, output, spin
        self.dims, self.default, self.seen = (fparam, aparam), default, []

    def evaluate(
        self, coord, cell, atom_types, fparam=None, aparam=None, *, spin=None, charge_spin=None
    ):
        self.seen.append((fparam, aparam))
        assert (spin is not None) == self.has_spin
        assert charge_spin is None
        frames = coord[:, 0, 0].astype(int)
        assert cell is None or len(cell) == len(frames)
        assert np.ndim(atom_types) == 1 or len(atom_types) == len(frames)
        return {name: values[frames] for name, values in self.predictions.items()}

    def get_sel_type(self):
        return [0]

    def get_dim_fparam(self):
        return self.dims[0]

    def get_dim_aparam(self):
        return self.dims[1]

    def has_chg_spin_ebd(self):
        return False

    def has_default_chg_spin(self):
        return False

    def has_default_fparam(self):
        return self.default


def system(types=(0, 1), cell=2.0, path="water", **labels):
    """Return 2 frames of a system, each of which tells :class:`Known` its number."""
    nframes, natoms = 2, np.shape(types)[-1]
    coord = np.zeros((nframes, natoms, 3))
    coord[:, 0, 0] = np.arange(nframes)
    return System(
        path=path,
        atom_types=np.array(types),
        coord=coord,
        cell=None if cell is None else np.array([cell * np.eye(3)] * nframes),
        labels=labels,
    )


def numbers(text):
    """Return the numbers of a detail file."""
    return np.loadtxt(text.splitlines(), ndmin=2)
