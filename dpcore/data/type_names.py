"""The names of the types in data."""

from collections.abc import Iterable

from dpcore.data.find import is_lmdb
from dpcore.data.lmdb import open_lmdb
from dpcore.data.load import open_stored
from dpcore.errors import DPError


def type_names(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the types of systems, in the order in which they are met.

    Args:
        paths: the systems (see :func:`dpcore.data.find_systems`).

    Raises:
        DPError: a system does not name its types, or cannot be read.
    """
    found: dict[str, None] = {}
    for path in paths:
        names = open_lmdb(path).read(0).names if is_lmdb(path) else open_stored(path).names
        if names is None:
            raise DPError(
                f"{path}: does not name its types; add type_map.raw, or give the names of the types"
            )
        found |= dict.fromkeys(names)
    return tuple(found)
