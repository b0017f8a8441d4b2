"""Frames with virtual atoms at the ends of the spins, and what predictions for these mean."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError
from dpcore.frames import Floats, Frame, Prediction
from dpcore.models.spins import checked_spin
from dpcore.models.stand_ins import StandIn
from dpcore.tree import Module

# Displacements up to this length are zero, Å.
_ZERO = 1e-12

# Where the virtual atoms of spins of zero are set: over the distance that the model is protected by, but
# not closer than this, Å; and in such steps, with weights that leave neither the slope nor the length of
# these displacements in the result.
_ASIDE, _LEAST_ASIDE = 1e-7, 1e-12
_STEPS = ((1.0, 1.0), (-1.0, 1.0), (2.0, -0.5), (-2.0, -0.5))


@dataclass(frozen=True)
class Pose:
    """A frame with its virtual atoms behind the atoms.

    Attributes:
        frame: atoms and virtual atoms, twice as many as atoms.
        scale: displacement of a virtual atom over the spin, ``(atom, 1)``, Å; 0 where there is none.
        shift: displacements of the virtual atoms, ``(atom, 3)``, Å.
        weight: share in the frame's result; those of all its poses add up to 1.
    """

    frame: Frame
    scale: Floats
    shift: Floats
    weight: float


def poses(frame: Frame, scales: Floats, protection: float, number: int) -> Iterator[Pose]:
    """Return a frame with its virtual atoms: one pose, or several where a magnetic atom has no spin.

    The length of a displacement has no slope at zero. As in frameworks it is taken as zero: the mean of
    those of opposite displacements.

    Args:
        frame: the frame.
        scales: displacement over the spin for each type, Å; 0 where it is not magnetic.
        protection: what the model adds to distances that it divides by, Å.
        number: number of the frame, for messages.

    Raises:
        DPError: spins that are not usable.
    """
    scale = np.where(frame.types < 0, 0.0, scales[frame.types])[:, None]
    shift = scale * checked_spin(frame, number)
    still = (scale[:, 0] != 0.0) & (np.linalg.norm(shift, axis=1) <= _ZERO)
    if still.any() and not protection:
        raise DPError(
            f"frame {number}: the spin of atom {np.flatnonzero(still)[0]} is zero, which sets its virtual "
            "atom on itself; give it a spin, or use a model with env_protection above 0 and without attn_dotr"
        )
    # The virtual atoms of what is not magnetic are no one's neighbours and have no energy, but they count
    # among the nearest, as in DeePMD-kit.
    virtual = np.where(frame.types < 0, -1, frame.types + len(scales))
    aside = max(_ASIDE * protection, _LEAST_ASIDE)
    for step, weight in _STEPS if still.any() else ((0.0, 1.0),):
        placed = np.where(still[:, None], (step * aside, 0.0, 0.0), shift)
        yield Pose(_doubled(frame, placed, virtual), scale, shift, weight)


def _doubled(frame: Frame, shift: Floats, virtual: NDArray[np.int64]) -> Frame:
    aparam = frame.aparam
    return replace(
        frame,
        coord=np.concatenate([frame.coord, frame.coord + shift]),
        types=np.concatenate([frame.types, virtual]),
        aparam=None if aparam is None else np.concatenate([aparam, np.zeros_like(aparam)]),
        spin=None,
    )


def stand_in(pose: Pose, number: int) -> StandIn:
    """Return a pose as what stands in for the frame of that number."""
    n = len(pose.scale)
    scale, shift = (np.concatenate([np.zeros_like(x), x]) for x in (pose.scale, pose.shift))
    return StandIn(pose.frame, number, np.tile(np.arange(n), 2), pose.weight, scale, shift)


def folded(prediction: Prediction, pose: Pose) -> Prediction:
    """Return what atoms and virtual atoms make together.

    A virtual atom moves with its atom, and by ``scale`` with the spin. As spins do not change on strain,
    it then moves as its atom does: its displacement takes no part in the virial.
    """
    n = len(pose.scale)
    pull, virial = prediction["force"][n:], prediction.get("atom_virial")
    fixed = (pull[:, :, None] * pose.shift[:, None, :]).reshape(n, 9)
    atomic = {} if virial is None else {"atom_virial": virial[:n] + virial[n:] - fixed}
    return {
        "energy": prediction["energy"],
        "atom_energy": prediction["atom_energy"][:n],
        "force": prediction["force"][:n] + pull,
        "force_mag": pull * pose.scale,
        "mask_mag": pose.scale != 0.0,
        "virial": prediction["virial"] - fixed.sum(axis=0),
        **atomic,
        "mask": prediction["mask"][:n],
    }


def weighted(predictions: Sequence[Prediction], weights: Sequence[float]) -> Prediction:
    """Return the weighted sum of predictions for the same frame; of masks, which are equal, the first."""
    return {
        name: np.tensordot(weights, [p[name] for p in predictions], axes=1)
        if value.dtype.kind == "f"
        else value
        for name, value in predictions[0].items()
    }


def protection_of(module: Module) -> float:
    """Return what a descriptor adds to the distances that it divides by, Å: the least of several."""
    return min(_protections(module), default=0.0)


def _protections(module: Module) -> Iterator[float]:
    if hasattr(module, "env_protection"):
        # Attention by angles has no value where a direction is missing.
        by_angles = getattr(module, "attn_dotr", False) and getattr(module, "attn_layer", 0)
        yield 0.0 if by_angles else module.env_protection
    for value in vars(module).values():
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, Module):
                yield from _protections(child)
