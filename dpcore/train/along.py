"""What is done along a run besides its steps, as an input asks for it."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from dpcore.backend.adapter import Adapter, to_backend
from dpcore.descriptors.three_body import settled
from dpcore.infer.engine import engines_of
from dpcore.infer.whole import WholeEvaluator
from dpcore.models import Model
from dpcore.models.children import is_of_frames
from dpcore.neighbours.sizes import Sizes
from dpcore.train.checkpoints import Checkpoints, kept
from dpcore.train.data import Maker, one_batch
from dpcore.train.input import TrainInput
from dpcore.train.keeper import Change, Keeper
from dpcore.train.loop import Rhythm, Task
from dpcore.train.names import ema_path
from dpcore.train.objective import Objective
from dpcore.train.of_model import data_of
from dpcore.train.parameters import Layout
from dpcore.train.profiler import Profiler
from dpcore.train.settings import TrainingSettings
from dpcore.train.statistics import shift_bias
from dpcore.train.statistics.bias import Owner
from dpcore.train.subject import Subject
from dpcore.train.timeline import Timeline, Trace, Untimed
from dpcore.train.update import Progress
from dpcore.train.validation import Accuracy, AllFrames, validations

Extra = Callable[[int, Progress], None]
"""Is called after each step with the number of steps taken."""


@dataclass(frozen=True, eq=False)
class Along:
    """What is done along a run.

    Attributes:
        extras: are called after each step.
        timeline: notes what takes how long.
        last: changes the models of the last checkpoint; None to leave them.
        closing: ends all of it.
    """

    extras: tuple[Extra, ...] = ()
    timeline: Timeline = field(default_factory=Untimed)
    last: Change | None = None
    closing: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def of(
        cls,
        told: TrainInput,
        keeper: Keeper,
        place: tuple[Adapter, str | None],
        frames: Callable[[], AllFrames],
        span: tuple[int, int],
    ) -> Self:
        """Return what an input asks for.

        Args:
            told: the input.
            keeper: writes checkpoints.
            place: the backend, and the name of a device, None for its default.
            frames: opens all validation data.
            span: how many steps were taken, and how many there are.

        Raises:
            DPError: a metric without its label, a backend without a profiler, a model without a bias.
        """
        training, closing = told.training, ExitStack()
        documents = (keeper.document, keeper.averaged)
        timeline = Trace(Path(training.profiling_file)) if training.profiling else Untimed()
        closing.callback(timeline.close)
        extras: list[Extra] = [*validations(told, frames, documents, keeper.notes, span, timeline)]
        if training.enable_profiler:
            profiler = Profiler(place[0], Path(training.tensorboard_log_dir), *span)
            closing.callback(profiler.close)
            extras.append(profiler)
        last = None
        if training.change_bias_after_training:
            for subject in keeper.subjects:
                Owner.of(subject.model)
            last = partial(_with_last_bias, place)
        return cls(tuple(extras), timeline, last, closing)


def rhythm(training: TrainingSettings, steps: int) -> Rhythm:
    """Return when what is done in a run of so many steps."""
    return Rhythm(
        steps,
        training.disp_freq if training.disp_training else 0,
        training.save_freq,
        training.acc_freq,
        training.disp_avg,
        training.tensorboard_freq if training.tensorboard else 0,
    )


def checkpoints(training: TrainingSettings, steps: int) -> tuple[Checkpoints, Checkpoints | None]:
    """Return the files of the checkpoints, and those of the averaged parameters."""
    prefix = Path(training.save_ckpt)
    folder = Path(training.save_dir) if training.save_dir else None
    counts = (training.max_ckpt_keep, training.ema_ckpt_keep or training.max_ckpt_keep)
    keep, keep_averages = (
        kept(training.ckpt_keep_ratio, count, steps, training.save_freq) for count in counts
    )
    averages = Checkpoints(ema_path(prefix), keep_averages, folder, pointer=False)
    return Checkpoints(prefix, keep, folder), averages if training.enable_ema else None


def all_frames(
    subject: Subject,
    task: Task,
    layout: Layout,
    place: tuple[Adapter, Any],
    sizes: Sizes,
    *,
    compiled: bool | None,
) -> AllFrames:
    """Open all validation data of a model, with all labels that errors are shown of.

    Args:
        subject: the model and its data.
        task: what makes batches of them.
        layout: what is where in the vector of parameters.
        place: the backend, and where its arrays are.
        sizes: how far batches are padded.
        compiled: compile on backends that do so on request.
    """
    (adapter, device), model, told = place, subject.model, subject.branch.data.validation_data
    assert task.validation is not None
    assert told is not None
    measure = Accuracy(spin=model.conditions.spin)
    wanted = measure.wanted(model.output)
    there = to_backend(adapter, settled(model), device)
    maker: Maker = replace(
        task.validation.maker,
        data=data_of(model, told, wanted, "validation_data", told=subject.section),
        wanted=wanted,
        layout=one_batch(() if is_of_frames(model) else model.selections, sizes),
    )
    objective = Objective(adapter, there, layout, measure, compiled=compiled)
    return AllFrames(adapter, device, objective, maker)


def _with_last_bias(place: tuple[Adapter, str | None], subject: Subject, model: Model) -> Model:
    """Return a model with its bias fitted once more to what its predictions lack."""
    whole = WholeEvaluator(model, engines_of(model, place[0], device=place[1]))
    frames = subject.branch.statistics.data_bias_nsample
    return shift_bias(
        model,
        subject.training.sources,
        lambda some: whole.predict(some, atomic=False),
        lambda _: frames,
    )
