"""What a model takes besides atoms, and frames that have it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from dpcore.errors import DPError
from dpcore.frames import Floats, Frame
from dpcore.models import Model
from dpcore.nn.charge_spin import check_state
from dpcore.train.data.sample import Source


@dataclass(frozen=True)
class Inputs:
    """What a model takes besides atoms.

    Attributes:
        widths: how many numbers of ``fparam``, ``aparam``, ``spin`` and ``charge_spin``; 0 where it takes
            none.
        defaults: the numbers of frames that come without.
    """

    widths: dict[str, int]
    defaults: dict[str, tuple[float, ...]]

    @classmethod
    def of(cls, model: Model) -> Self:
        """Return what a model takes."""
        told = model.conditions
        given = {"fparam": told.default_fparam, "charge_spin": told.default_chg_spin}
        widths = {
            "fparam": told.numb_fparam,
            "aparam": told.numb_aparam,
            "spin": 3 * told.spin,
            "charge_spin": 2 * told.charge_spin,
        }
        return cls(widths, {name: value for name, value in given.items() if value is not None})

    def check(self, sources: Iterable[Source]) -> None:
        """Refuse data that lack what the model takes.

        Raises:
            DPError: a system lacks it, and the model has no default.
        """
        needed = [name for name, n in self.widths.items() if n and name not in self.defaults]
        for source in sources:
            for name in needed:
                where = source.lacks(name)
                if where is not None:
                    raise DPError(
                        f"{where}: no {name}, of which the model takes {self.widths[name]}; add {name}.npy"
                    )

    def completed(self, frame: Frame, where: str) -> Frame:
        """Return a frame with what the model takes, and nothing else.

        Raises:
            DPError: it is missing, or of another size.
        """
        found = {name: self._value(frame, name, where) for name in self.widths}
        return replace(
            frame,
            fparam=found["fparam"],
            aparam=found["aparam"],
            spin=found["spin"],
            charge_spin=found["charge_spin"],
        )

    def _value(self, frame: Frame, name: str, where: str) -> Floats | None:
        width, default = self.widths[name], self.defaults.get(name)
        value: Floats | None = getattr(frame, name)
        if not width:
            return None
        if value is None and default is not None:
            value = np.array(default, np.float64)
        if value is None or value.shape[-1] != width:
            found = "none" if value is None else f"{value.shape[-1]} numbers"
            raise DPError(f"{where}: {name} has {found} where the model takes {width}; correct it")
        if name == "charge_spin":
            check_state(tuple(value.tolist()), f"{where}: {name}")
        return value
