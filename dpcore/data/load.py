"""Reading one system, whatever its layout."""

from collections.abc import Sequence
from pathlib import Path

from dpcore.data.assemble import assemble
from dpcore.data.find import find_systems, is_lmdb
from dpcore.data.hdf5 import read_hdf5
from dpcore.data.npy import read_npy, set_folders
from dpcore.data.raw import read_raw
from dpcore.data.stored import NOT_READ, Stored
from dpcore.data.system import System
from dpcore.errors import DPError


def load_system(path: str, type_map: Sequence[str] | None = None) -> System:
    """Read a system in the npy, mixed-type npy, raw or hdf5 layout.

    Args:
        path: a folder with ``type.raw``, or ``FILE#/GROUP`` in an HDF5 file.
        type_map: names of the model's types, to which the data's are renumbered by name; None keeps
            the data's numbers.

    Returns:
        All frames, the sets in the order of their names.

    Raises:
        DPError: for data that is missing, unreadable or inconsistent.
    """
    return assemble(_read(str(path)), type_map or None)


def _read(path: str) -> Stored:
    folder = Path(path)
    if is_lmdb(path):
        raise DPError(f"{path}: an LMDB data set; {NOT_READ}")
    if folder.is_dir():
        return _read_folder(folder)
    if Path(path.partition("#")[0]).is_file():
        return read_hdf5(path)
    raise DPError(f"{path}: not found; give a folder with type.raw, or FILE.hdf5#/GROUP")


def _read_folder(folder: Path) -> Stored:
    if not (folder / "type.raw").is_file():
        below = ", ".join(find_systems(str(folder))[:5])
        raise DPError(f"{folder}: no type.raw; systems are at {below}")
    if set_folders(folder):
        return read_npy(folder)
    if (folder / "coord.raw").is_file():
        return read_raw(folder)
    raise DPError(f"{folder}: no frames; put them in set.000/coord.npy or coord.raw")
