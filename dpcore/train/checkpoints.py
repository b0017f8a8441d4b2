"""The files that a run can be continued from."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.registry import format_of

SUFFIX = ".dp"


@dataclass(frozen=True)
class Checkpoints:
    """Numbered files, the newest of which a link without number leads to.

    Attributes:
        prefix: path of the link without suffix; the numbered files have its name.
        keep: how many are kept.
        folder: where the numbered files are; by default beside the link.
        pointer: whether a file ``checkpoint`` names the newest too.
    """

    prefix: Path
    keep: int = 5
    folder: Path | None = None
    pointer: bool = True

    @property
    def place(self) -> Path:
        """The folder of the numbered files."""
        return self.prefix.parent if self.folder is None else self.folder

    def path(self, step: int) -> Path:
        """Return the file of a step."""
        return self.place / f"{self.prefix.name}-{step}{SUFFIX}"

    @property
    def link(self) -> Path:
        """The name that leads to the newest."""
        return self.prefix.with_name(f"{self.prefix.name}{SUFFIX}")

    def check(self, where: str) -> None:
        """Make the folders, load what writes the files, and refuse places where nothing can be written.

        Args:
            where: key of the settings that names the place, for messages.

        Raises:
            DPError: a folder cannot be made or written to, or something else has a name that is needed.
        """
        # What is missing to write the first checkpoint is to be known before the first step.
        format_of(self.path(0))
        for folder in {self.place, self.prefix.parent}:
            check_folder(folder, where)
        for name in (self.link, self.prefix.with_name("checkpoint")):
            if name.is_dir() and (self.pointer or name == self.link):
                raise DPError(
                    f"{where}: {name} is a folder, and checkpoints need the name; move it"
                )

    def save(self, step: int, document: Document) -> Path:
        """Write the file of a step, in one piece or not at all, and drop the oldest.

        Files of later steps are those of another run and stay.
        """
        path = self.path(step)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.prefix.parent.mkdir(parents=True, exist_ok=True)
        for folder in {self.place, self.prefix.parent}:
            remove_leftovers(folder, self.prefix.name)
        format_of(path).write(path, document)
        self._point_to(path)
        for old in [known for known in self.steps() if known <= step][: -self.keep]:
            self.path(old).unlink(missing_ok=True)
        return path

    def steps(self) -> list[int]:
        """Return the steps that there are files of, in ascending order."""
        pattern = re.compile(re.escape(self.prefix.name) + r"-(\d+)" + re.escape(SUFFIX))
        found = (pattern.fullmatch(entry.name) for entry in self.place.glob("*"))
        return sorted(int(match[1]) for match in found if match)

    def _point_to(self, path: Path) -> None:
        """Let the link lead to a file; a name for it is never missing in between."""
        aside = self.link.with_name(f".{self.link.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        target = os.path.relpath(path.absolute(), self.link.absolute().parent)
        try:
            aside.symlink_to(target)
        except OSError:  # a file system without links
            aside.hardlink_to(path)
        aside.replace(self.link)
        if self.pointer:
            aside.write_text(f"{target}\n", encoding="utf-8")
            aside.replace(self.prefix.with_name("checkpoint"))


def check_folder(folder: Path, where: str) -> None:
    """Make a folder, and refuse one that nothing can be written to.

    Args:
        folder: the folder.
        where: key of the settings that names it, for messages.

    Raises:
        DPError: it cannot be made, or be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DPError(f"{where}: the folder {folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DPError(f"{where}: the folder {folder} cannot be written to; choose another")


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove what is left of files whose writing was killed.

    Args:
        folder: where to look.
        name: what the names of the files begin with.
    """
    name, suffix = re.escape(name), re.escape(SUFFIX)
    numbered = rf"\.{name}-\d+(?:\.t-\d+)?\.[0-9a-f]{{16}}{suffix}"
    half = re.compile(rf"{numbered}|\.{name}{suffix}\.\d+")
    for entry in folder.glob(".*"):
        if half.fullmatch(entry.name):
            entry.unlink(missing_ok=True)


def kept(ratio: float | None, count: int, steps: int, every: int) -> int:
    """Return how many checkpoints are kept.

    Args:
        ratio: which part of the run has its checkpoints kept, or None.
        count: how many are kept otherwise.
        steps: number of all steps.
        every: steps between checkpoints.
    """
    if ratio is None:
        return count
    return max(1, math.ceil(ratio * max(1, math.ceil(steps / every))))


def newest(given: str) -> Path:
    """Return the checkpoint that a user means: a file, or the newest of a prefix.

    Raises:
        DPError: there is none.
    """
    path = Path(given)
    if path.is_file():
        return path
    if not path.name or path.name == "..":
        raise DPError(
            f"{given or 'the name of a checkpoint'}: names no file; give one, or its prefix"
        )
    found = Checkpoints(path)
    if found.link.is_file():
        return _unlinked(found.link) or found.link
    steps = found.steps() if path.parent.is_dir() else []
    if not steps:
        raise DPError(
            f"{given}: no such checkpoint; give a file such as model.ckpt-1000{SUFFIX} or its prefix model.ckpt"
        )
    return found.path(steps[-1])


def _unlinked(link: Path) -> Path | None:
    """Return the newest checkpoint that is later than the link, which its run had no time to move."""
    files = Checkpoints(link.with_suffix(""), folder=link.resolve().parent)
    made = link.lstat().st_mtime_ns
    later = [n for n in files.steps() if files.path(n).stat().st_mtime_ns > made]
    return files.path(later[-1]) if later else None
