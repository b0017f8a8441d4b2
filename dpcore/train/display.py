"""What users see of a run: the learning curve, a line on the terminal, and TensorBoard."""

import logging
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dpcore.errors import DPError
from dpcore.train.curve import Curve, Shown
from dpcore.train.pace import Forecast

log = logging.getLogger(__name__)

Values = Mapping[str, float]

_BAR = "{percentage:3.0f}%|{bar:10}| {n_fmt}/{total_fmt}"
_NAN = float("nan")


class Progress:
    """How far a run is and how long it takes: a line that moves on terminals, log lines elsewhere.

    The line shows errors as ``f 0.11/0.12``, of training and of validation.

    Args:
        first: steps that were taken before.
        total: steps in all.
        quiet: show nothing: other processes do.
        timed: show how long steps take.
    """

    def __init__(self, first: int, total: int, *, quiet: bool = False, timed: bool = True) -> None:
        self._quiet, self._total, self._timed = quiet, total, timed
        self._since, self._begun = first, time.monotonic()
        self._forecast = Forecast.of(total)
        self._bar = _bar(
            self._forecast,
            total=total,
            initial=first,
            disable=quiet or not sys.stderr.isatty(),
            unit="step",
            dynamic_ncols=True,
            bar_format=_BAR + ", {left} left, {rate_fmt}{postfix}" if timed else _BAR + "{postfix}",
        )
        self._streams = () if self._bar.disable else _above(self._bar)

    def step(self) -> None:
        """Note that a step was taken."""
        self._forecast.step(time.monotonic())
        self._bar.update()

    def say(self, step: int, training: Values, validation: Values | None, rate: float) -> None:
        """Show the errors after some steps."""
        now = time.monotonic()
        each = (now - self._begun) / max(step - self._since, 1)
        self._since, self._begun = step, now
        if self._quiet:
            return
        pace = f"lr {rate:.1e}"
        if not self._bar.disable:
            # What comes last is cut off where the terminal is narrow.
            self._bar.set_postfix_str(f"{pace}, {_pairs(training, validation or {})}")
            return
        words = [f"trn {_words(training)}"]
        words += [f"val {_words(validation)}"] if validation else []
        words.append(pace)
        if self._timed:
            words += [f"{each:.3g} s/step", f"{self._forecast.left(self._total - step)} left"]
        log.info("step %d: %s", step, ", ".join(words))

    def close(self) -> None:
        """Leave the line as it is."""
        for handler, stream in self._streams:
            handler.setStream(stream)
        self._streams = ()
        self._bar.close()


def _bar(forecast: Forecast, **settings: Any) -> Any:
    """Return a line that moves, with the time left by a forecast of our own."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc, unused-ignore]
        """The line."""

        @property
        def format_dict(self) -> dict[str, Any]:
            """What the line may show."""
            known = dict(super().format_dict)
            return known | {"left": forecast.left(settings["total"] - known["n"])}

    return Bar(**settings)


class _Above:
    """A stream that writes above the line that moves, which log lines would tear otherwise."""

    def __init__(self, bar: Any, stream: Any) -> None:
        self._bar, self._stream = bar, stream

    def write(self, text: str) -> None:
        """Write a text."""
        self._bar.write(text, file=self._stream, end="")

    def flush(self) -> None:
        """Write what is left."""
        self._stream.flush()


def _above(bar: Any) -> tuple[tuple["logging.StreamHandler[Any]", Any], ...]:
    """Let handlers that log to the terminal write above a line, and return what they wrote to."""
    found = []
    for handler in logging.getLogger().handlers:
        stream = getattr(handler, "stream", None)
        if isinstance(handler, logging.StreamHandler) and stream in (sys.stderr, sys.stdout):
            handler.setStream(_Above(bar, stream))
            found.append((handler, stream))
    return tuple(found)


def _words(values: Values) -> str:
    found = {name: x for name, x in values.items() if math.isfinite(x)}
    return " ".join(f"{name}={x:.2e}" for name, x in found.items())


def _pairs(training: Values, validation: Values) -> str:
    """Return errors of training and of validation beside each other: a line has little room."""
    said = []
    for name in dict.fromkeys([*training, *validation]):
        both = [
            f"{x[name]:.3g}" for x in (training, validation) if math.isfinite(x.get(name, _NAN))
        ]
        short = name.replace("rmse_", "").replace("mae_", "")
        said += [f"{short} {'/'.join(both)}"] if both else []
    return " ".join(said)


class TensorBoard:
    """Errors and learning rate for TensorBoard.

    Args:
        folder: what TensorBoard is to read.
        first: steps that were taken before; later points in the folder are dropped.
    """

    def __init__(self, folder: Path, first: int) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise DPError(
                "training.tensorboard: needs tensorboardX: pip install dpcore[tensorboard]"
            ) from error
        try:
            self._writer = SummaryWriter(str(folder), purge_step=first + 1 if first else None)
        except OSError as error:
            raise DPError(
                f"training.tensorboard_log_dir: {folder} cannot be written to: {error.strerror}"
            ) from error

    def add(self, task: str, step: int, values: Values, kind: str) -> None:
        """Add points, under names such as ``rmse_f/trn``, those of a task behind its name."""
        for name, value in values.items():
            self._writer.add_scalar(_joined(task, f"{name}/{kind}"), value, step)

    def add_rate(self, task: str, step: int, rate: float) -> None:
        """Add a point of the learning rate, ``lr``."""
        self._writer.add_scalar(_joined(task, "lr"), rate, step)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def _joined(task: str, name: str) -> str:
    return f"{task}/{name}" if task else name


class Display:
    """Everything that is shown of a task.

    Args:
        curve: the learning curve, or None.
        progress: the line on the terminal.
        tensorboard: points for TensorBoard, or None.
    """

    def __init__(
        self, curve: Curve | None, progress: Progress, tensorboard: TensorBoard | None
    ) -> None:
        self.curve, self.progress, self.tensorboard = curve, progress, tensorboard

    def show(self, step: int, shown: Mapping[str, Shown], rate: float) -> None:
        """Show the errors of all tasks after some steps."""
        if self.curve is not None:
            self.curve.add(step, shown, rate)
        training, validation = dict[str, float](), dict[str, float]()
        for task, errors in shown.items():
            start = f"{task}." if task else ""
            training |= {start + name: x for name, x in errors.training.items()}
            validation |= {start + name: x for name, x in (errors.validation or {}).items()}
            if self.tensorboard is not None and errors.validation is not None:
                self.tensorboard.add(task, step, errors.validation, "val")
        self.progress.say(step, training, validation, rate)

    def plot(self, task: str, step: int, training: Values, rate: float) -> None:
        """Add points for TensorBoard."""
        if self.tensorboard is not None:
            self.tensorboard.add(task, step, training, "trn")
            self.tensorboard.add_rate(task, step, rate)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.close()
        if self.tensorboard is not None:
            self.tensorboard.close()


def numbers(found: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return sums and counts of errors as plain numbers."""
    return {name: (float(x[0]), float(x[1])) for name, x in found.items()}
