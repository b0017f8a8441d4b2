"""Spins that a model is told of frames, and which atoms have some."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dpcore.errors import DPError
from dpcore.frames import Floats, Frame, Prediction


def checked_spin(frame: Frame, number: int) -> Floats:
    """Return the spins of a frame, ``(atom, 3)``, zero for atoms that are not there.

    Args:
        frame: the frame.
        number: its number, for messages.

    Raises:
        DPError: there are none, or one is not finite.
    """
    spin, there = frame.spin, (frame.types >= 0)[:, None]
    if spin is None:
        raise DPError(f"frame {number}: the model needs the spins of the atoms; pass spin=")
    bad = ~np.isfinite(spin) & there
    if bad.any():
        raise DPError(f"frame {number}: the spin of atom {np.argwhere(bad)[0][0]} is not finite")
    return np.where(there, spin, 0.0)


def with_spins(
    frames: Sequence[Frame],
    magnetic: tuple[bool, ...],
    evaluate: Callable[[Sequence[Frame]], list[Prediction]],
) -> list[Prediction]:
    """Return predictions for frames with spins, and for each ``mask_mag (atom, 1)``: which atoms have one.

    Args:
        frames: the frames.
        magnetic: whether atoms of each type have spins.
        evaluate: returns the predictions without these masks.
    """
    checked = [replace(f, spin=checked_spin(f, number)) for number, f in enumerate(frames)]
    # The last flag is that of atoms that are not there.
    flags, found = np.array([*magnetic, False]), evaluate(checked)
    for frame, prediction in zip(checked, found, strict=True):
        prediction["mask_mag"] = flags[frame.types][:, None]
    return found
