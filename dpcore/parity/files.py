"""Writing a result without ever leaving half of one."""

import os
import tempfile
from pathlib import Path

from dpcore.errors import DPError


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in one step: a file that was there survives any failure.

    Args:
        path: the file.
        text: what it is to hold, stored as UTF-8.

    Raises:
        DPError: the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise DPError(f"cannot write {path}: it is a folder; choose another name")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="\n") as stream:  # noqa: PTH123
                stream.write(text)
            os.chmod(name, _mode(target))  # noqa: PTH101
            os.replace(name, target)  # noqa: PTH105
        except BaseException:
            os.unlink(name)  # noqa: PTH108
            raise
    except OSError as error:
        raise DPError(f"cannot write {path}: {error.strerror}; choose another name") from error


def _mode(target: Path) -> int:
    """Return the permissions of the file that is replaced, or those of a new one."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
