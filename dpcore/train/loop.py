"""The loop: one step after another, with what is shown and kept along the way."""

import functools
import logging
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from signal import Signals
from typing import Any

import numpy as np

from dpcore.backend.adapter import Adapter, as_inputs
from dpcore.errors import DPError
from dpcore.train.curve import Errors, Shown
from dpcore.train.data.loader import Loader, Portion
from dpcore.train.display import Display, numbers
from dpcore.train.interrupts import Interrupts
from dpcore.train.mixed_precision import Headroom
from dpcore.train.objective import Lesson, Objective, Outcome
from dpcore.train.pace import Pace
from dpcore.train.parameters import Layout
from dpcore.train.pursuit import Pursuit
from dpcore.train.timeline import Timeline, Untimed
from dpcore.train.update import Progress, Updater
from dpcore.train.workers import Workers

log = logging.getLogger(__name__)

# Frames that a message names.
_NAMED = 4


class Interrupted(Exception):  # noqa: N818  # no mistake of anybody's
    """A signal ended the run, after a checkpoint.

    Args:
        signal: the signal.
        step: the step that was the last.
    """

    def __init__(self, signal: Signals, step: int) -> None:
        self.signal = signal
        super().__init__(f"{signal.name}: stopped after step {step}, with a checkpoint")


@dataclass(frozen=True)
class Rate:
    """A learning rate.

    Attributes:
        of: returns that of a step.
        first: the one that prefactors refer to.
    """

    of: Callable[[int], float]
    first: float

    def pace(self, step: int) -> Any:
        """Return the rate of a step over the first one, a number."""
        return np.asarray(self.of(step) / self.first)


@dataclass(frozen=True, eq=False)
class Task:
    """A model that is trained, one of several that may share parameters.

    Attributes:
        name: what it is called; nothing where there is only one.
        objective: its loss.
        training: batches to train on.
        validation: batches that errors are shown of, or None.
        checked: how many of these a line of the learning curve is the mean of.
        rate: its learning rate.
        chance: how often a step is one of this model.
        pursuit: takes the steps of optimizers with goals of their own, or None.
    """

    name: str
    objective: Objective
    training: Loader
    rate: Rate
    validation: Loader | None = None
    checked: int = 1
    chance: float = 1.0
    pursuit: Pursuit | None = None

    @property
    def loaders(self) -> dict[str, Loader]:
        """What makes batches, by the section of the input."""
        both = {"training_data": self.training, "validation_data": self.validation}
        return {what: loader for what, loader in both.items() if loader is not None}


@dataclass(frozen=True)
class Rhythm:
    """When what is done.

    Attributes:
        steps: number of steps.
        show: steps between lines of the learning curve; 0 for none.
        save: steps between checkpoints.
        gather: batches whose gradients make a step.
        average: show the mean of the errors since the last line.
        plot: steps between points for TensorBoard; 0 for none.
    """

    steps: int
    show: int
    save: int
    gather: int = 1
    average: bool = False
    plot: int = 0

    def is_shown(self, step: int) -> bool:
        """Return whether a step has a line in the learning curve."""
        return bool(self.show) and (step % self.show == 0 or step in {1, self.steps})

    def is_plotted(self, step: int) -> bool:
        """Return whether a step has a point in TensorBoard."""
        return bool(self.plot) and (step % self.plot == 0 or step == 1)

    def is_looked_at(self, step: int) -> bool:
        """Return whether the errors of a step are asked for."""
        averaged = self.average and self.show > 0
        return averaged or self.is_shown(step) or self.is_plotted(step)

    def is_saved(self, step: int) -> bool:
        """Return whether a step has a checkpoint."""
        return step % self.save == 0 or step == self.steps


@dataclass(frozen=True)
class Stride:
    """A step that was taken.

    Attributes:
        outcomes: the losses of its batches, as far as they were computed.
        portions: its batches.
        gradient: the derivative that it follows.
        norm: the length of that.
    """

    outcomes: Sequence[Outcome]
    portions: Sequence[Portion]
    gradient: Any
    norm: float


@dataclass(eq=False)
class Loop:
    """A run.

    Attributes:
        adapter: the backend.
        device: where its arrays are.
        tasks: what is trained.
        layout: what is where in the vector of parameters.
        updater: takes the steps.
        rhythm: when what is done.
        workers: the processes that train together.
        display: what is shown.
        save: writes a checkpoint after a step.
        extras: are called after each step with the number of steps taken.
        progress: the parameters and what the optimizer remembers.
        step: number of steps taken.
        seed: of which task each step is one.
        timeline: notes what takes how long.
        pace: how long the steps took.
        headroom: where derivatives are computed in a lower precision, how far they are from overflowing.
    """

    adapter: Adapter
    device: Any
    tasks: tuple[Task, ...]
    layout: Layout
    updater: Updater
    rhythm: Rhythm
    workers: Workers
    display: Display
    save: Callable[[int, Progress], None]
    progress: Progress
    step: int = 0
    seed: int = 0
    extras: tuple[Callable[[int, Progress], None], ...] = ()
    timeline: Timeline = field(default_factory=Untimed)
    pace: Pace = field(default_factory=Pace)
    headroom: Headroom | None = None
    _since: dict[str, Errors] = field(default_factory=dict)

    def run(self) -> None:
        """Take all steps that are left.

        Raises:
            DPError: a frame is not usable, or a gradient is not finite.
            Interrupted: a signal ended the run.
        """
        if self.step >= self.rhythm.steps:
            self._save()
        # What is not finite is looked for after each step, and ends the run with one line.
        quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")
        with Interrupts() as interrupts, self.display, quiet:
            while self.step < self.rhythm.steps:
                told = self._take(interrupts)
                if told is not None:
                    if not self.rhythm.is_saved(self.step):
                        self._save()
                    raise Interrupted(told, self.step)

    def _take(self, interrupts: Interrupts) -> Signals | None:
        """Take a step, and return the signal that ends the run, if any process has had one."""
        task, before = self._task(self.step), self.progress
        rate, pace = task.rate.of(self.step), task.rate.pace(self.step)
        stride = (self._follow if task.pursuit else self._descend)(task, pace, rate)
        told = self._heard(interrupts)
        outcomes = stride.outcomes
        if self._not_finite(stride) is not None:
            self.progress, outcomes = before, []
            if not self._goes_on(stride):
                raise self._stopped(stride)
        elif self.headroom is not None:
            self.headroom.follow(finite=True)
        self.step += 1
        self.pace.step(sum(each.training.waited for each in self.tasks))
        self.display.progress.step()
        self._after(task, outcomes, rate)
        return told

    def _goes_on(self, stride: Stride) -> bool:
        """Return whether a step that overflows is left out, as it is in a lower precision a few times."""
        # The norm is that of all processes, so that they agree.
        if self.headroom is None or np.isfinite(stride.norm):
            return False
        if not self.headroom.follow(finite=False):
            return False
        log.warning(
            "step %d: overflows in the lower precision and is left out; derivatives are scaled by %g from now on",
            self.step + 1,
            self.headroom.factor,
        )
        return True

    def _descend(self, task: Task, pace: Any, rate: float) -> Stride:
        """Take a step by the derivative of the loss."""
        outcomes, portions, gradient = [], [], None
        for _ in range(self.rhythm.gather):
            portion = self._portion(task)
            with self.timeline.span("gradient"):
                lesson = self._lesson(portion, pace, self.headroom)
                outcome = task.objective.teach(self.progress.vector, lesson)
                gradient = outcome.gradient if gradient is None else gradient + outcome.gradient
            outcomes.append(outcome)
            portions.append(portion)
        assert gradient is not None
        with self.timeline.span("update"):
            with self.adapter.scope():
                gather = self.rhythm.gather
                gradient = self.workers.mean(gradient if gather == 1 else gradient / gather)
                there = self.adapter.asarray(np.asarray(rate), self.device)
            self.progress, norm = self.updater(self.progress, gradient, there)
            length = float(self.adapter.to_numpy(norm))
        return Stride(outcomes, portions, gradient, length)

    def _follow(self, task: Task, pace: Any, rate: float) -> Stride:  # noqa: ARG002
        """Take a step of an optimizer that has goals of its own in place of the loss."""
        assert task.pursuit is not None
        portion, before = self._portion(task), self.progress.vector
        with self.timeline.span("update"):
            self.progress, gradient, norm = task.pursuit.take(
                self.progress, Lesson.of(portion, pace), self.step, self.rhythm.steps
            )
            length = float(self.adapter.to_numpy(norm))
        outcomes = []
        if self.rhythm.is_looked_at(self.step + 1):
            outcomes.append(task.objective.judge(before, self._lesson(portion, pace)))
        return Stride(outcomes, [portion], gradient, length)

    def _heard(self, interrupts: Interrupts) -> Signals | None:
        """Return the signal that this process has had, or SIGTERM where another has had one."""
        told = interrupts.caught
        if self.workers.place.size == 1:
            return told
        flag = np.array([0.0 if told is None else 1.0])
        with self.adapter.scope():
            mean = self.workers.mean(self.adapter.asarray(flag, self.device))
        some = float(self.adapter.to_numpy(mean)[0]) > 0
        return told or Signals.SIGTERM if some else None

    def _after(self, task: Task, outcomes: Sequence[Outcome], rate: float) -> None:
        rhythm, step = self.rhythm, self.step
        if rhythm.is_looked_at(step):
            found = [self._errors(outcome) for outcome in outcomes]
            if rhythm.is_plotted(step) and found:
                values = functools.reduce(operator.add, found).values()
                self.display.plot(task.name, step, values, rate)
            for errors in found if rhythm.average or rhythm.is_shown(step) else ():
                self._note(task.name, errors)
        if rhythm.is_shown(step):
            with self.timeline.span("errors"):
                self._show(rate)
        for extra in self.extras:
            extra(step, self.progress)
        if rhythm.is_saved(step):
            self._save()

    def _save(self) -> None:
        with self.timeline.span("save"):
            self.save(self.step, self.progress)

    def _portion(self, task: Task) -> Portion:
        with self.timeline.span("data"):
            return next(task.training)

    def _task(self, step: int) -> Task:
        """Return whose turn it is: the same on all processes, and whatever was before."""
        if len(self.tasks) == 1:
            return self.tasks[0]
        chances = np.array([task.chance for task in self.tasks])
        drawn = np.random.default_rng([self.seed, step]).choice(len(chances), p=chances)
        return self.tasks[int(drawn)]

    def _lesson(self, portion: Portion, pace: Any, headroom: Headroom | None = None) -> Lesson:
        factor = None if headroom is None else np.asarray(headroom.factor)
        there: Lesson = as_inputs(self.adapter, Lesson.of(portion, pace, factor), self.device)
        return there

    def _errors(self, outcome: Outcome) -> Errors:
        found = {name: self.adapter.to_numpy(x) for name, x in outcome.errors.items()}
        return Errors((float(self.adapter.to_numpy(outcome.loss)), 1), numbers(found))

    def _note(self, name: str, errors: Errors) -> None:
        self._since[name] = self._since[name] + errors if name in self._since else errors

    def _show(self, rate: float) -> None:
        """Show the errors of all tasks, also of those that this step was none of."""
        shown = {}
        for task in self.tasks:
            pace = task.rate.pace(self.step - 1)
            training = self._trained(task, pace)
            validation = None if task.validation is None else self.validated(task, pace)
            shown[task.name] = Shown(training, validation)
        self.display.show(self.step, shown, rate)

    def _trained(self, task: Task, pace: Any) -> Mapping[str, float]:
        """Return the errors of the batches that were trained on, of one that was not where there is none."""
        known = self._since.pop(task.name, None)
        if known is not None:
            return known.values()
        if self.rhythm.average:
            return {}
        lesson = self._lesson(self._portion(task), pace)
        return self._errors(task.objective.judge(self.progress.vector, lesson)).values()

    def validated(self, task: Task, pace: Any) -> Mapping[str, float]:
        """Return the errors of some batches of validation data."""
        assert task.validation is not None
        total: Errors | None = None
        for _ in range(task.checked):
            portion = next(task.validation)
            outcome = task.objective.judge(self.progress.vector, self._lesson(portion, pace))
            found = self._errors(outcome)
            total = found if total is None else total + found
        assert total is not None
        return total.values()

    def _not_finite(self, stride: Stride) -> str | None:
        """Return what of a step is not finite."""
        if not np.isfinite(stride.norm):
            values = self.adapter.to_numpy(stride.gradient)
            bad = np.flatnonzero(~np.isfinite(values))
            where = self.layout.path(int(bad[0])) if len(bad) else "all parameters together"
            return f"the derivative of the loss by {where}"
        return None if np.isfinite(self._losses(stride)).all() else "the loss"

    def _losses(self, stride: Stride) -> list[float]:
        return [float(self.adapter.to_numpy(outcome.loss)) for outcome in stride.outcomes]

    def _stopped(self, stride: Stride) -> DPError:
        """Return the error for a step that is not finite, of which nothing is kept."""
        each = zip(stride.portions, self._losses(stride), strict=False)
        bad = [portion for portion, loss in each if not np.isfinite(loss)]
        places = [place for portion in bad or stride.portions for place in portion.places]
        more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
        return DPError(
            f"step {self.step + 1}: {self._not_finite(stride)} is not finite; the frames of its batch are "
            f"{', '.join(places[:_NAMED])}{more}; checkpoints are as before: look at these frames, lower "
            "learning_rate.start_lr, or set training.gradient_max_norm"
        )
