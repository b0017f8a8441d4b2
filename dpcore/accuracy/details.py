"""Detail files: every label beside its prediction, in DeePMD-kit's columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.accuracy.errors import Comparison
from dpcore.accuracy.quantities import QUANTITIES, Quantity
from dpcore.errors import DPError


class DetailFiles:
    """Write ``PREFIX.e.out``, ``PREFIX.f.out`` and so on.

    Most files have a block for each system. A tensor has a file for each system, and what has many
    numbers for each frame a file for each frame; the first system's are ``PREFIX.out`` and
    ``PREFIX.dos.out.FRAME``, the others' have the number of the system after ``.out``. What an earlier
    run left in a file is replaced.

    Args:
        prefix: what the names of the files begin with.

    Raises:
        DPError: the folder of ``prefix`` does not exist.
    """

    def __init__(self, prefix: str) -> None:
        if not Path(prefix).parent.is_dir():
            folder = Path(prefix).parent
            raise DPError(f"detail files {prefix}.*: {folder} is no folder; create it first")
        self._prefix = prefix
        self._written: dict[Path, str] = {}
        self._systems: list[str] = []

    def write(
        self, system: str, comparisons: Mapping[str, Comparison], *, first_frame: int = 0
    ) -> None:
        """Append rows of a system.

        Args:
            system: name of the system.
            comparisons: labels and predictions by quantity.
            first_frame: number of the first of the frames.
        """
        if system not in self._systems:
            self._systems.append(system)
        for name, comparison in comparisons.items():
            for block in self._blocks(QUANTITIES[name], system, comparison, first_frame):
                self._append(block, system)

    def _blocks(
        self, quantity: Quantity, system: str, comparison: Comparison, first_frame: int
    ) -> Iterator["_Block"]:
        """Yield what belongs into each file."""
        if quantity.file is None:
            return
        number, suffix = self._systems.index(system), f"{quantity.file}.out".removeprefix(".")
        own = f".{number}" if number and quantity.one_file != "run" else ""
        if quantity.one_file == "frame":
            for frame, (data, prediction) in enumerate(comparison.by_frame(), first_frame):
                rows = np.column_stack([data.ravel(), prediction.ravel()])
                head = f"{system} - {frame}: {quantity.columns(1)}"
                yield _Block(self._path(f"{suffix}{own}.{frame}"), head, rows)
            return
        rows = np.hstack([comparison.data, comparison.prediction])
        columns = quantity.columns(comparison.data.shape[1])
        yield _Block(self._path(f"{suffix}{own}"), f"{system}{quantity.note}: {columns}", rows)

    def _path(self, suffix: str) -> Path:
        return Path(f"{self._prefix}.{suffix}")

    def _append(self, block: "_Block", system: str) -> None:
        known = self._written.get(block.path)
        with block.path.open("w" if known is None else "a", encoding="utf-8") as file:
            np.savetxt(file, block.rows, header="" if known == system else block.header)
        self._written[block.path] = system


@dataclass(frozen=True, eq=False)
class _Block:
    """Rows of a file, and the comment before them."""

    path: Path
    header: str
    rows: NDArray[Any]
