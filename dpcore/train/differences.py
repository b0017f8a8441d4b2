"""What differs between the settings of a trained model and those of an input."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Keys of a model section that do not change what a checkpoint continues.
_FREE = frozenset(
    {
        "data_bias_nsample",
        "data_stat_nbatch",
        "data_stat_protect",
        "finetune_head",
        "info",
        "model_branch_alias",
        "seed",
        "shared_dict",
        "use_compile",
    }
)
# Keys that do not change what its parameters mean.
_MEANINGLESS = frozenset({"precision", "trainable"})
_SHOWN = 5


def of_models(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Return what differs between two model sections, what the data tell aside.

    Args:
        mine: the section of the input.
        theirs: the section of the trained model.
    """
    return list(_differences(mine, theirs, "", _FREE))


def of_parts(mine: Mapping[str, Any], theirs: Mapping[str, Any], parts: Iterable[str]) -> list[str]:
    """Return in which settings of some sections parameters of one model mean something else in another."""
    both, free = [key for key in parts if key in mine and key in theirs], _FREE | _MEANINGLESS
    return [d for key in both for d in _differences(mine[key], theirs[key], key, free)]


def of_runs(mine: Mapping[str, Any], theirs: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Return what differs between some sections of two inputs."""
    return [d for key in keys for d in _differences(mine.get(key), theirs.get(key), key, _FREE)]


def listed(different: list[str], where: str = "") -> str:
    """Return differences on one line, the first ones if there are many.

    Args:
        different: the differences.
        where: key of the section that they are in.
    """
    more = f", and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
    return ", ".join(f"{where}.{d}" if where else d for d in different[:_SHOWN]) + more


def _differences(mine: Any, theirs: Any, where: str, free: frozenset[str]) -> Iterator[str]:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for key in dict.fromkeys((*mine, *theirs)):
            if key not in free:
                at = f"{where}.{key}" if where else str(key)
                yield from _differences(mine.get(key), theirs.get(key), at, free)
        return
    # The data told the numbers, or the names.
    if isinstance(mine, str) and mine.partition(":")[0] == "auto":
        return
    if where == "type_map" and mine is None:
        return
    both = all(isinstance(value, list | tuple) for value in (mine, theirs))
    if not (list(mine) == list(theirs) if both else mine == theirs):
        yield f"{where} is {_shown(theirs)} there, {_shown(mine)} in the input"


def _shown(value: Any) -> str:
    return "missing" if value is None else repr(value)
