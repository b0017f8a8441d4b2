"""Frames in the formats of other programs, which dpdata and ASE read.

They are read once, and kept in a temporary file: what is in memory does not grow with them.
"""

import difflib
import json
import tempfile
import threading
import warnings
import weakref
from array import array
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.data.records import Record
from dpcore.data.stored import reason
from dpcore.errors import DPError

# ASE's names of what frames hold, and those of files.
_NAMES = {"forces": "force", "virials": "virial", "energies": "atom_ener"}

# Formats of dpdata that hold systems of several compositions.
_SEVERAL = ("xyz", "mixed", "lmdb", "list")


class ForeignRecords:
    """Frames that another package reads.

    Args:
        path: the file or folder.
        fmt: the format by its name in dpdata; ``extxyz``, or another name that ASE has; ``ase`` to let ASE
            guess.

    Raises:
        DPError: the format is unknown, its package missing, or the file not in this format.
    """

    groups: NDArray[np.int32] | None = None

    def __init__(self, path: str, fmt: str) -> None:
        self.path = path
        if not Path(path).exists():
            raise DPError(f"{path}: not found; give a file or folder in the format {fmt}")
        self._file, self._lock = tempfile.TemporaryFile(), threading.Lock()  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._places, counts = array("q"), array("i")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for record in _reader(path, fmt):
                    self._keep(record)
                    counts.append(record.types.size)
        except DPError:
            raise
        except Exception as error:  # What a file that is broken raises is up to the package.
            raise DPError(
                f"{path}: not readable in the format {fmt} ({reason(error)}); check fmt and the file"
            ) from error
        if not counts:
            raise DPError(f"{path}: the format {fmt} finds no frames in it; check fmt and the file")
        self.counts = np.array(counts, np.int32)

    def read(self, number: int) -> Record:
        """Read a frame from the temporary file."""
        with self._lock:
            self._file.seek(self._places[number])
            told = json.loads(self._file.readline())
            arrays: dict[str, NDArray[Any]] = {}
            for name, dtype, shape in told["arrays"]:
                size = prod(shape) * np.dtype(dtype).itemsize
                arrays[name] = np.frombuffer(self._file.read(size), dtype).reshape(shape)
        types, pbc = arrays.pop("types"), tuple(told["pbc"])
        return Record(f"{self.path}, frame {number}", types, told["names"], arrays, pbc)

    def _keep(self, record: Record) -> None:
        given = {"types": record.types, **record.arrays}
        arrays = {name: np.ascontiguousarray(values) for name, values in given.items()}
        told = {
            "names": None if record.names is None else list(record.names),
            "pbc": record.pbc,
            "arrays": [(name, x.dtype.str, record_shape(x)) for name, x in arrays.items()],
        }
        self._places.append(self._file.seek(0, 2))
        self._file.write(json.dumps(told).encode() + b"\n")
        for values in arrays.values():
            self._file.write(values.tobytes())


def record_shape(values: NDArray[Any]) -> list[int]:
    """Return the shape of an array as JSON has it."""
    return [int(n) for n in values.shape]


def _reader(path: str, fmt: str) -> Iterator[Record]:
    if fmt in {"ase", "extxyz"}:
        return _with_ase(path, None if fmt == "ase" else fmt)
    known = _formats_of_dpdata()
    if fmt in known:
        return _with_dpdata(path, fmt)
    of_ase = _formats_of_ase()
    if fmt in of_ase:
        return _with_ase(path, fmt)
    raise DPError(f"{path}: fmt {fmt!r} is unknown{_hint(fmt, known, of_ase)}")


def _hint(fmt: str, known: set[str], of_ase: set[str]) -> str:
    absent = [name for name, found in (("dpdata", known), ("ase", of_ase)) if not found]
    if absent:
        return f", but {' and '.join(absent)} is not installed; pip install dpcore[formats]"
    close = difflib.get_close_matches(fmt, known | of_ase, n=3)
    meant = f"; did you mean {' or '.join(close)}?" if close else ";"
    return f"{meant} give a name that dpdata or ASE has for it, such as vasp/outcar or extxyz"


def _formats_of_dpdata() -> set[str]:
    try:
        import dpdata  # noqa: F401
        from dpdata.format import Format
    except ImportError:
        return set()
    return set(Format.get_formats())


def _formats_of_ase() -> set[str]:
    try:
        from ase.io.formats import ioformats
    except ImportError:
        return set()
    return set(ioformats)


def _with_ase(path: str, fmt: str | None) -> Iterator[Record]:
    try:
        import ase.io
    except ImportError as error:
        raise DPError(f"{path}: ASE reads this; pip install dpcore[formats]") from error
    for atoms in ase.io.iread(path, index=":", format=fmt):
        symbols = atoms.get_chemical_symbols()
        names = sorted(set(symbols))
        types = np.array([names.index(symbol) for symbol in symbols])
        arrays: dict[str, NDArray[Any]] = {"coord": atoms.positions}
        if atoms.pbc.any():
            arrays["box"] = np.asarray(atoms.cell)
        a, b, c = (bool(p) for p in atoms.pbc)
        # Without a cell it does not matter.
        periods = (a, b, c) if a or b or c else (True, True, True)
        yield Record(path, types, names, arrays | _labels_of(atoms), periods)


def _labels_of(atoms: Any) -> dict[str, NDArray[Any]]:
    results = {} if atoms.calc is None else dict(atoms.calc.results)
    extra = {k: v for k, v in atoms.arrays.items() if k not in {"numbers", "positions"}}
    found: dict[str, NDArray[Any]] = {}
    given: dict[str, Any] = {**atoms.info, **extra, **results}
    for name, value in given.items():
        values = np.asarray(value)
        if values.dtype.kind in "biuf" and values.size and value is not None:
            found[_NAMES.get(name, name)] = values
    stress = found.pop("stress", None)
    if stress is not None and "virial" not in found:
        whole = stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]] if stress.size == 6 else stress
        found["virial"] = -atoms.get_volume() * whole.reshape(9)
    return found


def _with_dpdata(path: str, fmt: str) -> Iterator[Record]:
    import dpdata

    several = fmt.endswith(_SEVERAL) or not _labelled(fmt)
    if several:
        every = dpdata.MultiSystems.from_file(path, fmt=fmt)
        systems: Sequence[Any] = [every[number] for number in range(len(every))]
    else:
        systems = [dpdata.LabeledSystem(path, fmt=fmt)]
    for system in systems:
        yield from _frames_of(path, system)


def _labelled(fmt: str) -> bool:
    from dpdata.format import Format

    own = Format.get_formats()[fmt].from_labeled_system
    return bool(own is not Format.from_labeled_system)


def _frames_of(path: str, system: Any) -> Iterator[Record]:
    data: Mapping[str, Any] = system.data
    types, names = np.asarray(data["atom_types"]), list(data["atom_names"])
    called = {kind.name: kind.deepmd_name for kind in system.DTYPES}
    kept = {
        called[name]: np.asarray(values)
        for name, values in data.items()
        if name in called and np.ndim(values) and len(values) == len(data["coords"])
        if called[name] not in {"atom_types", "atom_numbs", "atom_names", "orig"}
    }
    if data.get("nopbc", False):
        kept.pop("box", None)
    each = kept.pop("real_atom_types", None)
    for number in range(len(data["coords"])):
        arrays = {name: values[number] for name, values in kept.items()}
        yield Record(path, types if each is None else each[number], names, arrays)
