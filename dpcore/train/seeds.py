"""Seeds of networks that have none of their own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zlib import crc32

from dpcore.train.input import TrainInput


def seeded(told: TrainInput, ranks: int = 1) -> TrainInput:
    """Return an input in which networks without a seed have one that follows from ``training.seed``.

    Where there is none either they begin with other numbers each time; processes that train together have to
    begin with the same ones.

    Args:
        told: the input.
        ranks: number of processes.
    """
    seed = told.training.seed
    if seed is None and ranks == 1:
        return told
    branches = (
        replace(branch, model=_seeded(branch.model, seed or 0, f"model.{branch.name}"))
        for branch in told.branches
    )
    return replace(told, branches=tuple(branches))


def _seeded(value: Any, seed: int, where: str) -> Any:
    """Return a section, or what is in it, with a seed of its own for each place that has none."""
    if isinstance(value, Mapping):
        return {
            # Networks of the same sizes in different places are not to begin as the same.
            key: [seed, crc32(where.encode())]
            if key == "seed" and inner is None
            else _seeded(inner, seed, f"{where}.{key}")
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_seeded(inner, seed, f"{where}.{i}") for i, inner in enumerate(value)]
    return value
