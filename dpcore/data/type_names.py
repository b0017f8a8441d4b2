"""The names of the types in data."""

import logging
from collections.abc import Iterable

from dpcore.data.find import is_lmdb
from dpcore.data.lmdb import open_lmdb
from dpcore.data.load import open_stored
from dpcore.data.parts import TYPES
from dpcore.data.stored import as_types
from dpcore.errors import DPError

log = logging.getLogger(__name__)


def type_names(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the types of systems, in the order in which they are met.

    Where no system names its types they are called ``Type_0``, ``Type_1`` and so on, as dpdata does.

    Args:
        paths: the systems (see :func:`dpcore.data.find_systems`).

    Raises:
        DPError: a system does not name its types and others do, or cannot be read.
    """
    found: dict[str, None] = {}
    nameless = dict[str, int]()
    for path in paths:
        names = _names(path)
        if names is None:
            nameless[path] = _number(path)
        found |= dict.fromkeys(names or ())
    if nameless and (found or not min(nameless.values())):
        path = min(nameless, key=lambda name: nameless[name])
        raise DPError(
            f"{path}: does not name its types; add type_map.raw, or give the names of the types"
        )
    if nameless:
        found = dict.fromkeys(f"Type_{number}" for number in range(max(nameless.values())))
        log.warning("the data do not name their types; they are called %s", " ".join(found))
    return tuple(found)


def _names(path: str) -> tuple[str, ...] | None:
    names = open_lmdb(path).read(0).names if is_lmdb(path) else open_stored(path).names
    return None if names is None else tuple(names)


def _number(path: str) -> int:
    """Return how many types a system has that numbers them, 0 where the numbers do not tell which they are."""
    if is_lmdb(path):
        return 0
    stored = open_stored(path)
    if any(TYPES in frames.items for frames in stored.sets):
        return 0
    return int(as_types(stored.types, 0).max(initial=-1)) + 1
