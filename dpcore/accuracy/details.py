"""Detail files: every label beside its prediction, in DeePMD-kit's columns."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dpcore.accuracy.errors import Comparison
from dpcore.accuracy.quantities import QUANTITIES
from dpcore.errors import DPError


class DetailFiles:
    """Write ``PREFIX.e.out``, ``PREFIX.f.out`` and so on, one block for each system.

    The first block of a file replaces what an earlier run left there.

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
        self._written: dict[str, str] = {}

    def write(self, system: str, comparisons: Mapping[str, Comparison]) -> None:
        """Append rows of a system.

        Args:
            system: name of the system.
            comparisons: labels and predictions by quantity.
        """
        for name, comparison in comparisons.items():
            quantity = QUANTITIES[name]
            if not quantity.file:
                continue
            header = "" if self._written.get(name) == system else quantity.header(system)
            path = Path(f"{self._prefix}.{quantity.file}.out")
            rows = np.hstack([comparison.data, comparison.prediction])
            with path.open("a" if name in self._written else "w", encoding="utf-8") as file:
                np.savetxt(file, rows, header=header)
            self._written[name] = system
