"""What is done with the errors on all validation data."""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.train.checkpoints import check_folder
from dpcore.train.input import TrainInput
from dpcore.train.names import ema_path
from dpcore.train.settings import ValidatingSettings
from dpcore.train.timeline import Timeline
from dpcore.train.update import Progress
from dpcore.train.validation.best import Best, Record
from dpcore.train.validation.full import AllFrames
from dpcore.train.validation.quantities import SCALE, Metric, columns
from dpcore.train.validation.table import Table, number

log = logging.getLogger(__name__)

Documents = Callable[[int, Progress], Document]
"""Returns what a checkpoint after some steps holds."""


@dataclass(eq=False)
class Validation:
    """Evaluates all validation data now and then, and keeps the best models.

    Attributes:
        frames: the data.
        parameters: returns the vector that is evaluated.
        metric: the error that the best model has least of.
        start: the first step of which there is an evaluation.
        every: steps between them.
        table: the file of the errors.
        best: the best models.
        document: what is written of them, or None to write nothing.
        notes: what a checkpoint keeps of it.
        timeline: notes how long it takes.
    """

    frames: AllFrames
    parameters: Callable[[Progress], Any]
    metric: Metric
    start: int
    every: int
    table: Table
    best: Best
    document: Documents | None
    notes: dict[str, Any]
    timeline: Timeline

    def __call__(self, step: int, progress: Progress) -> None:
        """Evaluate the model after a step if that is due.

        Raises:
            DPError: no frame has the label of the metric.
        """
        if step >= self.start and (step - self.start) % self.every == 0:
            with self.timeline.span("validation"):
                self._evaluate(step, progress)

    def _evaluate(self, step: int, progress: Progress) -> None:
        errors = self.frames.errors(self.parameters(progress))
        value = self.metric.value(errors)
        if value is None:
            raise DPError(
                f"validating.validation_metric: no frame of validation_data has {self.metric.quantity.label} "
                f"for {str(self.metric)!r}; choose another metric"
            )
        saved = None
        good = math.isfinite(value) and self.best.offer(Record(value, step))
        self.notes.update(self.state())
        if good and self.document is not None:
            path = self.best.write(step, self.document(step, progress))
            shown = f"{number(value * SCALE)} {self.metric.quantity.unit}"
            saved = f"{path} ({self.metric} = {shown})"
            log.info("best model so far: %s", saved)
        self.table.add(step, errors, saved)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, to be written as JSON."""
        records = [{"error": r.error, "step": r.step} for r in self.best.records]
        return {"metric": str(self.metric), "best": records}


def start_of(settings: ValidatingSettings, steps: int) -> int | None:
    """Return the first step after which all validation data are evaluated; None for never."""
    begin = settings.full_val_start
    if begin == 1:
        return None
    return int(steps * begin) if begin < 1 else int(begin)


def validations(
    told: TrainInput,
    frames: Callable[[], AllFrames],
    documents: tuple[Documents, Documents],
    notes: dict[str, Any],
    span: tuple[int, int],
    timeline: Timeline,
) -> Iterator[Validation]:
    """Yield the evaluations of the parameters, and of their average.

    Args:
        told: the input.
        frames: opens all validation data.
        documents: what checkpoints of both hold.
        notes: what checkpoints keep of this, and what a checkpoint kept that is continued.
        span: how many steps were taken, and how many there are.
        timeline: notes how long evaluations take.
    """
    settings, (done, steps) = told.validating, span
    start = start_of(settings, steps)
    asked = (settings.full_validation, settings.ema_full_validation)
    if start is None or start > steps or not any(asked):
        return
    (branch,) = told.branches
    loss = branch.loss.type_name.removesuffix("_loss")
    metric, opened = Metric.of(settings.validation_metric, loss), frames()
    _check_label(metric, opened)
    folder = Path(settings.save_best_dir or Path(told.training.save_ckpt).parent)
    if settings.save_best:
        check_folder(folder, "validating.save_best_dir")
    for wanted, average, document in zip(asked, (False, True), documents, strict=True):
        if not wanted:
            continue
        file, name = Path(settings.full_val_file), "best.ckpt"
        if average:
            file, name = ema_path(file), "best_ema.ckpt"
        before = notes.get(name, {})
        best = Best(folder / name, settings.max_best_ckpt)
        if before.get("metric") == str(metric):
            best.restore(before["best"])
        first = done + 1 if done else 0
        yield Validation(
            frames=opened,
            parameters=(lambda progress: progress.average) if average else (lambda p: p.vector),
            metric=metric,
            start=start,
            every=settings.validation_freq,
            table=Table(file, tuple(columns(loss, metric)), steps, first=first),
            best=best,
            document=document if settings.save_best else None,
            notes=notes.setdefault(name, {}),
            timeline=timeline,
        )


def _check_label(metric: Metric, frames: AllFrames) -> None:
    """Refuse a metric whose label no system has."""
    data, label = frames.maker.data, metric.quantity.label
    if all(source.lacks(label) for source in data.sources):
        raise DPError(
            f"validating.validation_metric: {str(metric)!r} needs {label}, which no system of "
            f"{data.where} has; choose another metric or add {label}.npy"
        )
