"""Compiled model files: a program of one framework with the document it was made from inside.

The document is read without the framework, so that every such file can be converted on any machine.
"""

import hashlib
import json
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dpcore.backend.adapter import Exporter
from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.registry import backend
from dpcore_serialization.atomic import replacing, replacing_folder
from dpcore_serialization.dp import document_bytes, document_from_bytes

# Where the document is inside each kind of file.
MEMBER = "model.dp"
FOLDER_MEMBER = Path("assets.extra") / MEMBER
MANIFEST = Path("assets.extra") / "manifest.json"


@dataclass(frozen=True)
class ArtefactFormat:
    """A compiled file in a zip archive or a folder.

    Attributes:
        backend: the backend that writes and runs it.
        folder: whether it is a folder.
    """

    backend: str
    folder: bool = False
    compiled: bool = True

    def read(self, path: Path) -> Document:
        """Return the document inside."""
        if self.folder:
            return _read_folder(path)
        return document_from_bytes(path, _read_zip(path))

    def write(self, path: Path, document: Document) -> None:
        """Compile the model and write it with its document."""
        exporter = cast("Exporter", backend(self.backend))
        with (replacing_folder if self.folder else replacing)(path) as target:
            exporter.export(document.model, document_bytes(document), target)
            if self.folder:
                write_manifest(target)


pt2 = ArtefactFormat("torch")
savedmodel = ArtefactFormat("tensorflow", folder=True)
jaxexport = ArtefactFormat("jax")


def _read_folder(path: Path) -> Document:
    if not path.exists():
        raise DPError(f"{path}: no such file or folder")
    if not (path / FOLDER_MEMBER).is_file():
        raise DPError(
            f"{path}: holds no {FOLDER_MEMBER}; it was not written by dpcore and cannot be converted"
        )
    check_manifest(path)
    return document_from_bytes(path, (path / FOLDER_MEMBER).read_bytes())


def write_manifest(folder: Path) -> None:
    """Write the sha256 of every file of a folder into it."""
    text = json.dumps(_hashes(folder), indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def check_manifest(folder: Path) -> None:
    """Raise a DPError if a file of a folder differs from its manifest."""
    try:
        expected = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
        found = _hashes(folder)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DPError(
            f"{folder}: {MANIFEST} is missing or damaged ({error}); convert the model again"
        ) from error
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise DPError(
                f"{folder}: {name} is damaged, missing or was added; convert the model again"
            )


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f != folder / MANIFEST)
    return {f.relative_to(folder).as_posix(): _sha256(f) for f in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_zip(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(path, archive.infolist())
            names = [n for n in archive.namelist() if n.rpartition("/")[2] == MEMBER]
            if len(names) != 1:
                raise DPError(
                    f"{path}: holds {len(names) or 'no'} {MEMBER}; it was not written by dpcore and "
                    "cannot be converted"
                )
            if (damaged := archive.testzip()) is not None:
                raise DPError(f"{path}: the member {damaged!r} is damaged; convert the model again")
            return archive.read(names[0])
    except FileNotFoundError:
        raise DPError(f"{path}: no such file") from None
    except DPError:
        raise
    except (
        OSError,
        zipfile.BadZipFile,
        EOFError,
        OverflowError,
        RuntimeError,
        ValueError,
        struct.error,
    ) as error:
        raise DPError(
            f"{path}: damaged, or no compiled model ({error}); convert it again"
        ) from error


def _check_sizes(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse what no compiled file has: compression, and more bytes than the file is long."""
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not stored or sum(member.file_size for member in members) > path.stat().st_size:
        raise DPError(f"{path}: declares more than it holds; it is damaged, or hostile")
