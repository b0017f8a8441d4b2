"""Models that are evaluated on other frames than those that they are trained on, as functions of arrays."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.backend.adapter import Adapter
from dpcore.batch import Batch
from dpcore.frames import Frame
from dpcore.infer.assemble import assemble
from dpcore.models import Model
from dpcore.models.prediction import Outputs, predict
from dpcore.models.stand_ins import StandIn
from dpcore.neighbours.sizes import Sizes
from dpcore.tree import Tree, buffer
from dpcore.xp import as_type_of, namespace, shape


class Act(Tree):
    """The frames that one part of a model is evaluated on, and what they stand in for.

    Attributes:
        part: name of the part.
        batch: its frames.
        frame: the frame that each stands in for, ``(frame,)``.
        weight: its share in the results of that, ``(frame,)``.
        atom: the place that each atom stands in for, ``(atom,)``.
        scale: displacement of atoms over the spin that they move with, ``(atom, 1)``, Å, or None.
        shift: displacements that do not change on strain, ``(atom, 3)``, Å, or None.
    """

    part: str
    batch: Batch
    frame: Any = buffer()
    weight: Any = buffer()
    atom: Any = buffer()
    scale: Any = buffer(default=None)
    shift: Any = buffer(default=None)


def cast_of(
    model: Model, sizes: Callable[[], Sizes], dtype: str = "float64"
) -> Callable[[Sequence[Frame], Batch], tuple[Act, ...]]:
    """Return what finds stand-ins for frames.

    Args:
        model: the model.
        sizes: makes what tells how far the batches of a part are padded.
        dtype: dtype of displacements and parameters.
    """
    kept = {name: sizes() for name in model.parts}

    def acts(frames: Sequence[Frame], batch: Batch) -> tuple[Act, ...]:
        found = model.stand_ins(frames)
        return tuple(
            _act(name, each, _laid_out(model.parts[name], each, kept[name], dtype), batch)
            for name, each in found.items()
            if each
        )

    return acts


def _laid_out(part: Model, each: Sequence[StandIn], sizes: Sizes, dtype: str) -> Batch:
    found = assemble([one.frame for one in each], part.selections, sizes, dtype)
    return next(found.batches(max(1, len(found.types))))


def _act(name: str, each: Sequence[StandIn], batch: Batch, whole: Batch) -> Act:
    """Return where the frames of a part belong in the batch of those that they stand in for."""
    starts = np.cumsum(whole.natoms) - whole.natoms
    natoms, nframes = len(batch.frame), len(batch.natoms)
    frame = np.full(nframes, len(whole.natoms) - 1)
    frame[: len(each)] = [one.of for one in each]
    weight = np.zeros(nframes)
    weight[: len(each)] = [one.weight for one in each]
    places = np.concatenate([starts[one.of] + one.atoms for one in each])
    atom = np.full(natoms, len(whole.frame) - 1)
    atom[: len(places)] = places
    return Act(
        part=name,
        batch=batch,
        frame=frame,
        weight=weight,
        atom=atom,
        scale=_rows([one.scale for one in each], natoms),
        shift=_rows([one.shift for one in each], natoms),
    )


def _rows(each: Sequence[NDArray[Any] | None], natoms: int) -> NDArray[Any] | None:
    given = [rows for rows in each if rows is not None]
    if not given:
        return None
    found = np.concatenate(given)
    return np.pad(found, ((0, natoms - len(found)), (0, 0)))


def played(
    adapter: Adapter, model: Model, batch: Batch, acts: Sequence[Act], *, training: bool
) -> Outputs:
    """Return what a model predicts for a batch (see :func:`~dpcore.models.prediction.predict`).

    Args:
        adapter: the backend.
        model: the model.
        batch: the frames that predictions are for.
        acts: what stands in for them.
        training: let derivatives be differentiated by the parameters.
    """
    total: Outputs = {}
    for act in acts:
        found = predict(adapter, model.parts[act.part], act.batch, training=training)
        for name, value in folded(found, act, batch).items():
            total[name] = total[name] + value if name in total else value
    if "mask_mag" in total:
        total["mask_mag"] = total["mask_mag"] > 0
    return total


def folded(predicted: Outputs, act: Act, batch: Batch) -> Outputs:
    """Return what the predictions of a part add to those of the frames that it stands in for.

    An atom that moves with another passes its force on to that, and ``scale`` times it to its spin. Its
    displacement does not change on strain and takes no part in the virial.
    """
    force = predicted["force"]
    xp, natoms, nframes = namespace(force), shape(batch.frame)[0], shape(batch.natoms)[0]
    weight = as_type_of(act.weight, force)
    each = xp.take(weight, act.batch.frame, axis=0)[:, None]
    virial = as_type_of(predicted["virial"], force)
    if act.shift is not None:
        fixed = xp.reshape(force[:, :, None] * as_type_of(act.shift, force)[:, None, :], (-1, 9))
        virial = virial - xp.segment_sum(fixed, act.batch.frame, shape(act.batch.natoms)[0])
    energy, atomic = predicted["energy"], predicted["atom_energy"]
    share = as_type_of(act.weight, energy)
    own = xp.take(share, act.batch.frame, axis=0)[:, None]
    found = {
        "energy": xp.segment_sum(energy * share[:, None], act.frame, nframes),
        "atom_energy": xp.segment_sum(atomic * own, act.atom, natoms),
        "force": xp.segment_sum(force * each, act.atom, natoms),
        "virial": xp.segment_sum(virial * weight[:, None], act.frame, nframes),
    }
    if act.scale is not None:
        scale = as_type_of(act.scale, force)
        found["force_mag"] = xp.segment_sum(force * each * scale, act.atom, natoms)
        found["mask_mag"] = xp.segment_sum(xp.abs(scale), act.atom, natoms)
    return found


def with_spin(model: Model, batch: Batch) -> Any:
    """Return which atoms have spins that a model is differentiated by, ``(atom, 1)``."""
    xp = namespace(batch.types)
    zero = xp.zeros_like(batch.types[:1])
    flags = xp.concat([zero + int(magnetic) for magnetic in model.magnetic], axis=0)
    return (xp.take(flags, batch.types, axis=0) > 0)[:, None]
