"""Variables of a TensorFlow graph, each to be read once, with nothing overlooked."""

import re
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError

Array = NDArray[np.floating]

# What says again what the settings say, and what only training needs.
_REPEATED = re.compile(
    r"(descrpt_attr(_\d+)*\.(ntypes|ndescrpt|sel|original_sel)"
    r"|fitting_attr\.(dfparam|daparam|aparam_nall|numb_dos|t_bias_dos)"
    r"|model_attr\.(tmap|model_type|model_version|sel_type|output_dim)"
    r"|modifier_attr\..*|train_attr\..*|global_step|beta[12]_power|.*/?Adam(_1)?)"
)


class Source(Protocol):
    """Where variables come from.

    Attributes:
        path: the file, for messages.
    """

    path: str

    def names(self) -> list[str]:
        """Return the names of all variables, with ``.`` for ``/``."""
        ...

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a variable."""
        ...

    def read(self, name: str) -> Array:
        """Return a variable; DPError if it is damaged."""
        ...


class Variables:
    """The variables of a model.

    Args:
        source: where they come from.
        prefix: what the names of all of them begin with.
        other: what the names of those begin with that belong to another model.
    """

    def __init__(self, source: Source, prefix: str = "", other: str | None = None) -> None:
        self._source, self._prefix, self._seen = source, prefix, set[str]()
        self._names = {
            name.removeprefix(prefix)
            for name in source.names()
            if name.startswith(prefix) and (other is None or not name.startswith(other))
        }

    def scoped(self, prefix: str) -> Self:
        """Return the variables whose names begin with a prefix, under the rest of their names."""
        return type(self)(self._source, self._prefix + prefix)

    def without(self, prefix: str) -> Self:
        """Return the variables whose names do not begin with a prefix."""
        return type(self)(self._source, self._prefix, self._prefix + prefix)

    def has(self, name: str) -> bool:
        """Return whether there is a variable of that name."""
        return name in self._names

    def take(self, name: str, sizes: tuple[int, ...]) -> Array:
        """Return a variable of some shape.

        Raises:
            DPError: it is missing, damaged, or of another shape.
        """
        if name not in self._names:
            raise self.error(f"{name}: is missing; the settings ask for this variable")
        found = self._source.shape(self._prefix + name)
        if found != sizes:
            raise self.error(f"{name}: shape {found}; the settings ask for {sizes}")
        self._seen.add(name)
        return self._source.read(self._prefix + name)

    def optional(self, name: str, sizes: tuple[int, ...]) -> Array | None:
        """Return a variable of some shape, or None if there is none."""
        return self.take(name, sizes) if self.has(name) else None

    def skip(self, name: str) -> None:
        """Leave out a variable, if there is one, that no number depends on."""
        self._seen.add(name)

    def finish(self) -> None:
        """Raise a DPError for a variable that nothing asked for."""
        left = {name for name in self._names - self._seen if not _REPEATED.fullmatch(name)}
        if left:
            raise self.error(f"{min(left)}: belongs to nothing that the settings describe")

    def error(self, what: str) -> DPError:
        """Return an error about these variables."""
        return DPError(f"{self._source.path}: {self._prefix}{what}")
