"""The best models of a run, by the error on all validation data."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dpcore.formats import Document
from dpcore.registry import format_of
from dpcore.train.checkpoints import SUFFIX, remove_leftovers


@dataclass(frozen=True, order=True)
class Record:
    """One of the best models.

    Attributes:
        error: its error.
        step: the step after which it was.
    """

    error: float
    step: int


@dataclass
class Best:
    """The best models, numbered from the best on: ``best.ckpt-4000.t-1.dp``.

    Attributes:
        prefix: path of their files without numbers and suffix.
        keep: how many there are.
        records: the best first.
    """

    prefix: Path
    keep: int
    records: list[Record] = field(default_factory=list)

    def restore(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Go on with the records of a checkpoint."""
        found = [Record(float(r["error"]), int(r["step"])) for r in records]
        self.records = sorted(found)[: self.keep]

    def offer(self, record: Record) -> bool:
        """Take a model among the best if it is one of them, and return whether it is."""
        others = [known for known in self.records if known.step != record.step]
        self.records = sorted([*others, record])[: self.keep]
        return record in self.records

    def path(self, step: int) -> Path:
        """Return the file of one of the best."""
        rank = next(i for i, known in enumerate(self.records, 1) if known.step == step)
        return self.prefix.with_name(f"{self.prefix.name}-{step}.t-{rank}{SUFFIX}")

    def write(self, step: int, document: Document) -> Path:
        """Write one of the best, renumber the others, and remove those that are so no more."""
        path = self.path(step)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, self.prefix.name)
        format_of(path).write(path, document)
        kept = {known.step for known in self.records}
        for old, number in self._files():
            if number not in kept or (number == step and old != path):
                old.unlink(missing_ok=True)
            else:
                old.rename(self.path(number))
        return path

    def _files(self) -> list[tuple[Path, int]]:
        pattern = re.compile(
            re.escape(self.prefix.name) + r"-(\d+)\.t-\d+" + re.escape(SUFFIX), re.ASCII
        )
        found = ((entry, pattern.fullmatch(entry.name)) for entry in self.prefix.parent.glob("*"))
        return [(entry, int(match[1])) for entry, match in found if match]
