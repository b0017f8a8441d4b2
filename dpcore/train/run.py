"""A training run: from an input to the last checkpoint."""

import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from dpcore.backend.adapter import Adapter, to_backend
from dpcore.descriptors.three_body import settled
from dpcore.models.children import is_of_frames
from dpcore.neighbours.sizes import ExactSizes, FewSizes, RecurringSizes, Sizes
from dpcore.train.acts import cast_of
from dpcore.train.along import Along, all_frames, checkpoints, rhythm
from dpcore.train.beginning import Beginning, with_script
from dpcore.train.curve import Columns, Curve
from dpcore.train.data import DataSet, Loader, Maker, one_batch
from dpcore.train.display import Display, TensorBoard
from dpcore.train.display import Progress as Line
from dpcore.train.input import TrainInput
from dpcore.train.keeper import Keeper
from dpcore.train.loop import Loop, Rate, Task
from dpcore.train.mixed_precision import Headroom, check_networks
from dpcore.train.objective import Objective
from dpcore.train.parameters import Layout
from dpcore.train.pursuit import Pursuit
from dpcore.train.schedules import Schedule
from dpcore.train.seeds import seeded
from dpcore.train.series import SeriesModel
from dpcore.train.start import Start
from dpcore.train.subject import Subject
from dpcore.train.turns import Turns
from dpcore.train.update import Progress, Updater
from dpcore.train.workers import Alone, Workers

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Run:
    """A run that is about to begin.

    Attributes:
        told: the input.
        subjects: the models and their data.
        loop: the loop.
        keeper: the checkpoints.
        along: what is done besides.
    """

    told: TrainInput
    subjects: tuple[Subject, ...]
    loop: Loop
    keeper: Keeper
    along: Along

    @property
    def newest(self) -> Path:
        """The last checkpoint."""
        return self.keeper.files.path(self.loop.step)

    @property
    def summary(self) -> str:
        """What the run was, in a line."""
        pace = self.loop.pace.words(timed=self.told.training.time_training)
        return f"{pace}; the last checkpoint is {self.newest}"

    def go(self) -> None:
        """Take all steps.

        Raises:
            DPError: a frame is not usable, something is not finite, or a file cannot be written.
            Interrupted: a signal ended the run.
        """
        loop, last = self.loop, self.along.last
        try:
            loop.run()
            if last is not None and loop.workers.place.rank == 0:
                self.keeper.save(loop.step, loop.progress, last)
        finally:
            for task in loop.tasks:
                for loader in task.loaders.values():
                    loader.close()
            self.along.closing.close()
            loop.workers.close()


@dataclass(frozen=True, eq=False)
class Bench:
    """Where a run computes.

    Attributes:
        adapter: the backend.
        device: where its arrays are.
        workers: the processes that train together.
        compiled: compile steps where that is on request.
        compute_prec: precision of the products of networks; None for that of their parameters.
    """

    adapter: Adapter
    device: Any
    workers: Workers
    compiled: bool
    compute_prec: str | None = None

    @property
    def is_chief(self) -> bool:
        """Whether this process shows and writes what all of them do."""
        return self.workers.place.rank == 0

    def series(self, subject: Subject, layout: Layout) -> SeriesModel | None:
        """Return what evaluates the embedding networks of a model as series, where there are kernels for them."""
        known = "series" in self.adapter.kernels(self.device) and self.compute_prec is None
        hessian = any(label.name == "hessian" for label in subject.wanted)
        if not known or hessian or is_of_frames(subject.model):
            return None
        model = settled(subject.model)
        return SeriesModel(self.adapter, self.device, model, layout, subject.branch.name)

    @property
    def sizes(self) -> Sizes:
        """How far batches are padded."""
        if self.adapter.capabilities.jit:
            return FewSizes()
        return RecurringSizes(exported=True) if self.compiled else ExactSizes()


def prepare(
    told: TrainInput,
    adapter: Adapter,
    device: str | None = None,
    start: Start | None = None,
    workers: Workers | None = None,
) -> Run:
    """Read the data, make the model, and put everything together.

    Args:
        told: the input.
        adapter: the backend.
        device: name of a device; by default the backend's own choice.
        start: where the run begins; by default with a new model.
        workers: the processes that train together; by default this one alone.

    Raises:
        DPError: settings, data or files that do not fit each other.
    """
    start = start or Start()
    told = seeded(with_script(told, start), 1 if workers is None else workers.place.size)
    beginning = Beginning.of(told, start, adapter)
    compiled = told.training.enable_compile and adapter.capabilities.compile_on_request
    mixed = told.training.mixed_precision
    lower = None if mixed is None else mixed.compute_prec
    bench = Bench(adapter, adapter.device(device), workers or Alone(), compiled, lower)
    layout, seed = beginning.layout, told.training.seed or 0
    turns = Turns.of(told, [s.training for s in beginning.subjects], bench.workers.place.size)
    steps = turns.steps
    tasks = tuple(_task(subject, bench, layout, seed, turns) for subject in beginning.subjects)
    progress, done = beginning.progress(told, layout, tasks)
    files, averages = checkpoints(told.training, steps)
    keeper = Keeper(
        told, beginning.subjects, tasks, layout, adapter, files, averages, beginning.notes
    )
    training = told.training
    updater = Updater(
        adapter,
        told.optimizer,
        layout,
        max_norm=training.gradient_max_norm or None,
        decay=training.ema_decay,
    )
    if told.optimizer.goal_losses:
        each = zip(tasks, beginning.subjects, strict=True)
        tasks = tuple(replace(t, pursuit=_pursuit(told, s, bench, updater)) for t, s in each)
    along = Along()
    if bench.is_chief:
        _check_last(told, keeper, steps)
        place = (adapter, bench.device)
        frames = partial(
            all_frames,
            beginning.subjects[0],
            tasks[0],
            layout,
            place,
            bench.sizes,
            compiled=bench.compiled or None,
        )
        along = Along.of(told, keeper, (adapter, device), frames, (done, steps))
    loop = Loop(
        adapter=adapter,
        device=bench.device,
        tasks=tasks,
        layout=layout,
        updater=updater,
        rhythm=rhythm(training, steps),
        workers=bench.workers,
        display=_display(told, beginning.subjects, done, steps, quiet=not bench.is_chief),
        save=keeper.save if bench.is_chief else _nothing,
        progress=to_backend(adapter, progress, bench.device),
        step=done,
        seed=seed,
        extras=along.extras,
        timeline=along.timeline,
        headroom=None if mixed is None else Headroom(),
    )
    return Run(told, beginning.subjects, loop, keeper, along)


def _check_last(told: TrainInput, keeper: Keeper, steps: int) -> None:
    """Refuse places where no checkpoint can be written, and tell of what a run is in vain for."""
    for files in filter(None, (keeper.files, keeper.averages)):
        files.check("training.save_dir" if told.training.save_dir else "training.save_ckpt")
    if not keeper.layout.length:
        log.warning("model: nothing of it is trained; its parameters stay as they are")
    for note in dict.fromkeys(branch.schedule.remark(steps) for branch in told.branches):
        if note is not None:
            log.warning(note)


def _nothing(step: int, progress: Progress) -> None:
    """Leave checkpoints to another process."""


def _task(subject: Subject, bench: Bench, layout: Layout, seed: int, turns: Turns) -> Task:
    """Return what trains a model: its objective, and its batches."""
    there = to_backend(bench.adapter, settled(subject.model), bench.device)
    name, compiled = subject.branch.name, bench.compiled or None
    if bench.compute_prec is not None:
        check_networks(subject.model)
    objective = Objective(
        bench.adapter,
        there,
        layout,
        subject.loss,
        name=name,
        compute_prec=bench.compute_prec,
        compiled=compiled,
        series=bench.series(subject, layout),
    )
    in_parts = is_of_frames(subject.model)

    def maker(data: DataSet) -> Maker:
        # Threads that shared their sizes would choose them by who is first.
        layout = one_batch(() if in_parts else subject.model.selections, bench.sizes)
        cast = cast_of(subject.model, lambda: bench.sizes) if in_parts else None
        return Maker.of(data, subject.model, subject.wanted, layout, cast=cast)

    place = bench.workers.place
    data = subject.training
    training = Loader(maker(data), data.sampler(seed, place.rank, place.size))
    checked, validation = 1, None
    if subject.validation is not None and subject.branch.data.validation_data is not None:
        checked = subject.branch.data.validation_data.numb_btch
        validation = Loader(maker(subject.validation), subject.validation.sampler(seed), ahead=1)
    rate = _rate(subject.branch.schedule, turns.steps, place.size)
    return Task(
        name, objective, training, rate, validation, checked, turns.chances[subject.branch.name]
    )


def _rate(schedule: Schedule, steps: int, size: int) -> Rate:
    """Return the learning rate of a run in so many processes."""
    schedule.check(steps)
    factor = schedule.worker_factor(size)
    return Rate(lambda step: factor * schedule.rate(step, steps), factor * schedule.start_lr)


def _pursuit(told: TrainInput, subject: Subject, bench: Bench, updater: Updater) -> Pursuit:
    """Return what takes the steps of an optimizer with goals of its own."""
    there = to_backend(bench.adapter, settled(subject.model), bench.device)
    objectives = {
        name: Objective(
            bench.adapter,
            there,
            updater.layout,
            goal.for_model(subject.model),
            name=subject.branch.name,
            compute_prec=bench.compute_prec,
            compiled=bench.compiled or None,
        )
        for name, goal in told.optimizer.goal_losses.items()
    }
    return Pursuit(
        bench.adapter,
        bench.device,
        told.optimizer,
        objectives,
        updater,
        bench.workers,
        told.training.seed or 0,
    )


def _display(
    told: TrainInput, subjects: tuple[Subject, ...], done: int, steps: int, *, quiet: bool
) -> Display:
    training, curve, board = told.training, None, None
    if training.disp_training and not quiet:
        columns = {
            s.branch.name: Columns(tuple(s.loss.error_names), s.validation is not None)
            for s in subjects
        }
        curve = Curve(Path(training.disp_file), columns, done + 1 if done else 0)
    if training.tensorboard and not quiet:
        board = TensorBoard(Path(training.tensorboard_log_dir), done)
    line = Line(done, steps, quiet=quiet, timed=training.time_training)
    return Display(curve, line, board)
