"""Compiled model files: a program of one framework with the document it was made from inside.

The document is read without the framework, so that every such file can be converted on any machine.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.registry import backend
from dpcore_serialization.dp import document_from_bytes
from dpcore_serialization.dp import format as dp

# Where the document is inside each kind of file.
MEMBER = "model.dp"
FOLDER_MEMBER = Path("assets.extra") / MEMBER

_LARGEST = 64 << 30


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
        backend(self.backend).export(document, path)


pt2 = ArtefactFormat("torch")
savedmodel = ArtefactFormat("tensorflow", folder=True)
jaxexport = ArtefactFormat("jax")


def _read_folder(path: Path) -> Document:
    if not path.exists():
        raise DPError(f"{path}: no such file or folder")
    if not (path / FOLDER_MEMBER).is_file():
        raise DPError(f"{path}: holds no {FOLDER_MEMBER}; it was not written by dpcore and cannot be converted")
    return dp.read(path / FOLDER_MEMBER)


def _read_zip(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.rpartition("/")[2] == MEMBER]
            if len(names) != 1:
                raise DPError(f"{path}: holds no {MEMBER}; it was not written by dpcore and cannot be converted")
            size = archive.getinfo(names[0]).file_size
            if size > min(_LARGEST, 200 * path.stat().st_size):
                raise DPError(f"{path}: declares {size} bytes of {MEMBER}; the file is damaged or hostile")
            return archive.read(names[0])
    except FileNotFoundError:
        raise DPError(f"{path}: no such file") from None
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DPError(f"{path}: damaged, or no compiled model ({error}); convert it again") from error
