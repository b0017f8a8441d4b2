"""Reading one system, whatever its layout."""

from collections.abc import Sequence
from pathlib import Path

from dpcore.data.assemble import assemble
from dpcore.data.find import find_systems, is_lmdb
from dpcore.data.hdf5 import read_hdf5
from dpcore.data.lmdb import open_lmdb
from dpcore.data.npy import read_npy, set_folders
from dpcore.data.raw import read_raw
from dpcore.data.records import system_of
from dpcore.data.stored import Stored
from dpcore.data.system import System
from dpcore.errors import DPError


def load_system(path: str, type_map: Sequence[str] | None = None) -> System:
    """Read a system in the npy, mixed-type npy, raw, hdf5 or LMDB layout.

    Args:
        path: a folder with ``type.raw``, ``FILE#/GROUP`` in an HDF5 file, or an LMDB data set.
        type_map: names of the model's types, to which the data's are renumbered by name; None keeps
            the data's numbers.

    Returns:
        All frames, the sets in the order of their names.

    Raises:
        DPError: for data that is missing, unreadable or inconsistent.
    """
    if is_lmdb(str(path)):
        return system_of(open_lmdb(str(path)), type_map or None)
    return assemble(open_stored(str(path)), type_map or None)


def open_stored(path: str) -> Stored:
    """Find the arrays of a system in any layout of files and folders, without reading them.

    Raises:
        DPError: it is missing, or a file cannot be read.
    """
    folder = Path(path)
    if folder.is_dir():
        return _open_folder(folder)
    if Path(path.partition("#")[0]).is_file():
        return read_hdf5(path)
    raise DPError(
        f"{path}: not found; give a folder with type.raw, FILE.hdf5#/GROUP or an LMDB data set"
    )


def _open_folder(folder: Path) -> Stored:
    if not (folder / "type.raw").is_file():
        below = ", ".join(find_systems(str(folder))[:5])
        raise DPError(f"{folder}: no type.raw; systems are at {below}")
    if set_folders(folder):
        return read_npy(folder)
    if (folder / "coord.raw").is_file():
        return read_raw(folder)
    raise DPError(f"{folder}: no frames; put them in set.000/coord.npy or coord.raw")
