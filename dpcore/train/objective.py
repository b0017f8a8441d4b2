"""The loss of a model on a batch, and its derivative by the vector of parameters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from dpcore.backend.adapter import Adapter, Function, value_and_grad
from dpcore.batch import Batch
from dpcore.models import Model
from dpcore.models.curvature import second_derivatives
from dpcore.models.prediction import Outputs, predict
from dpcore.train.acts import Act, played, with_spin
from dpcore.train.data.loader import Portion
from dpcore.train.losses import Loss
from dpcore.train.mixed_precision import lowered, magnification
from dpcore.train.parameters import Layout
from dpcore.train.series import Extent, SeriesModel, with_sums
from dpcore.train.targets import Target
from dpcore.tree import Tree, buffer, structure
from dpcore.xp import as_type_of

_ERROR = "error."


class Pupil(Tree):
    """A model and the vector that its trained arrays are taken from."""

    model: Model
    vector: Any = buffer()


class Lesson(Tree):
    """A batch to learn from.

    Attributes:
        batch: the frames.
        acts: what parts of the model are evaluated on in place of them, where it is in parts.
        targets: what is known of them.
        pace: the learning rate over that at the start, a number.
        pairs: atoms of the largest frame whose second derivatives are known; 0 where none are.
        headroom: factor on derivatives in a lower precision, a number, or None.
    """

    batch: Batch
    acts: tuple[Act, ...] = ()
    targets: tuple[Target, ...]
    pace: Any = buffer()
    pairs: int = 0
    headroom: Any = buffer(default=None)

    @classmethod
    def of(cls, portion: Portion, pace: Any, headroom: Any = None) -> Self:
        """Return the lesson of a batch, of NumPy arrays."""
        hessian = portion.targets.get("hessian")
        return cls(
            batch=portion.batch,
            acts=portion.acts,
            targets=tuple(portion.targets.values()),
            pace=pace,
            pairs=0 if hessian is None else hessian.value.shape[1] // 9,
            headroom=headroom,
        )


@dataclass(frozen=True)
class Outcome:
    """What a batch tells of a model.

    Attributes:
        loss: the loss, a number.
        errors: the errors that are shown, ``(2,)`` each (see :class:`~dpcore.train.losses.LossValue`).
        gradient: the derivative of the loss by the vector; None where it was not asked for.
    """

    loss: Any
    errors: Mapping[str, Any]
    gradient: Any | None = None


class Objective:
    """How good a model is, on a backend.

    Args:
        adapter: the backend.
        model: the model, with the backend's arrays.
        layout: where its trained arrays are in the vector.
        loss: what is to become small.
        name: which of the models of the layout it is.
        compute_prec: precision of the products of networks; None for that of their parameters.
        compiled: compile on backends that do so on request.
        series: the model with series in place of its embedding networks, where there are kernels for them.
    """

    def __init__(
        self,
        adapter: Adapter,
        model: Model,
        layout: Layout,
        loss: Loss,
        *,
        name: str = "",
        compute_prec: str | None = None,
        compiled: bool | None = None,
        series: SeriesModel | None = None,
    ) -> None:
        self._adapter, self._model, self._layout, self._loss = adapter, model, layout, loss
        self._name, self._compute_prec = name, compute_prec
        self._compiled, self._series = compiled, series
        self._compile()

    def _compile(self) -> None:
        self._judge = self._adapter.compile(self._errors, requested=self._compiled)
        self._teach = self._adapter.compile(self._gradient, requested=self._compiled)

    def state(self) -> dict[str, Any] | None:
        """Return what the series are made for, to be written as JSON; None where there are none."""
        series = self._series
        return None if series is None or series.extent is None else series.extent.state()

    def restore(self, state: Any) -> None:
        """Make series for what they were made for when the state was stored."""
        if self._series is not None:
            self._series.extent = Extent.read(state)

    def judge(self, vector: Any, lesson: Lesson) -> Outcome:
        """Return the loss of a batch."""
        return self._run("_judge", vector, lesson)

    def teach(self, vector: Any, lesson: Lesson) -> Outcome:
        """Return the loss of a batch and its gradient."""
        return self._run("_teach", vector, lesson)

    def _run(self, name: str, vector: Any, lesson: Lesson) -> Outcome:
        if self._series is not None and not self._series.ready:
            self._refit(self._series, vector, lesson)
        found = self._call(name, vector, lesson)
        while self._series is not None and not self._suits(self._series, found, lesson):
            self._refit(self._series, vector, lesson)
            found = self._call(name, vector, lesson)
        errors = {k.removeprefix(_ERROR): x for k, x in found.items() if k.startswith(_ERROR)}
        return Outcome(found["loss"], errors, found.get("gradient"))

    def _call(self, name: str, vector: Any, lesson: Lesson) -> dict[str, Any]:
        model = self._model if self._series is None else self._series.there
        function: Function = getattr(self, name)
        with self._adapter.scope():
            return function(Pupil(model=model, vector=vector), lesson)

    def _suits(self, series: SeriesModel, found: dict[str, Any], lesson: Lesson) -> bool:
        """Return whether series were accurate; what is beyond them makes the loss NaN."""
        if self._number(found["doubt"]) > 1.0:
            return False
        return math.isfinite(self._number(found["loss"])) or series.reaches(lesson.batch)

    def _number(self, x: Any) -> float:
        return float(self._adapter.to_numpy(x))

    def _refit(self, series: SeriesModel, vector: Any, lesson: Lesson) -> None:
        """Make series that suit the networks as they are now, or go on with the networks themselves."""
        before, extent = (structure(series.there), series.extent) if series.ready else (None, None)
        # What is as it was would not suit either.
        if not series.refit(vector, lesson.batch) or series.extent == extent:
            self._series = None
        # Compiled functions take other numbers of intervals, but no other model.
        if self._series is None or structure(series.there) != before:
            self._compile()

    def _errors(self, pupil: Pupil, lesson: Lesson) -> dict[str, Any]:
        total, errors = self._value(pupil, lesson, pupil.vector, training=False)
        return {"loss": total, **errors}

    def _gradient(self, pupil: Pupil, lesson: Lesson) -> dict[str, Any]:
        def value(vector: Any) -> tuple[Any, dict[str, Any]]:
            total, errors = self._value(pupil, lesson, vector, training=True)
            if self._compute_prec is None:
                return total, {"loss": total, **errors}
            factor = magnification(total, lesson.batch)
            if lesson.headroom is not None:
                factor = factor * as_type_of(lesson.headroom, factor)
            return total * factor, {"loss": total, "factor": factor, **errors}

        (_, found), slope = value_and_grad(self._adapter, value)(pupil.vector)
        if self._compute_prec is not None:
            slope = slope / as_type_of(found.pop("factor"), slope)
        return {"gradient": as_type_of(slope, pupil.vector), **found}

    def _value(
        self, pupil: Pupil, lesson: Lesson, vector: Any, *, training: bool
    ) -> tuple[Any, dict[str, Any]]:
        model, doubt = with_sums(self._layout.model(pupil.model, vector, self._name))
        if self._compute_prec is not None:
            model = lowered(model, self._compute_prec)
        predicted = self._predicted(model, lesson, training=training)
        targets = {target.name: target for target in lesson.targets}
        found = self._loss(predicted, targets, lesson.batch, lesson.pace)
        others = {} if doubt is None else {"doubt": doubt}
        return found.total, others | {_ERROR + name: x for name, x in found.errors.items()}

    def _predicted(self, model: Model, lesson: Lesson, *, training: bool) -> Outputs:
        """Return the predictions, and what losses take besides: see :class:`Lesson`."""
        adapter, batch = self._adapter, lesson.batch
        if lesson.acts:
            return played(adapter, model, batch, lesson.acts, training=training)
        found = predict(adapter, model, batch, training=training)
        if model.magnetic:
            found["mask_mag"] = with_spin(model, batch)
        if lesson.pairs:
            found["hessian"] = second_derivatives(adapter, model, batch, lesson.pairs)
        return found
