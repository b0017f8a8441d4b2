"""How often each system is drawn: the settings ``auto_prob`` and ``sys_probs``."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import DPError
from dpcore.train.rules import check_probabilities

Floats = NDArray[np.float64]


def chances(
    style: str, given: Sequence[float] | None, draws: Sequence[int], where: str = "training_data"
) -> Floats:
    """Return the probability of each system.

    Args:
        style: ``prob_uniform``, ``prob_sys_size``, or ``prob_sys_size;i:j:w;...``: the systems from ``i`` to
            ``j - 1`` share the weight ``w``, others are not drawn.
        given: a probability for each system in place of that; those below 0 share what is left.
        draws: how many batches each system has; those with none are not drawn.
        where: section of the settings, for messages.

    Raises:
        DPError: the settings have no meaning, or nothing is left to be drawn.
    """
    listed = None if given is None else tuple(given)
    check_probabilities(style, listed, where)
    size = np.array(draws, np.float64)
    if listed is not None:
        found = _completed(np.array(listed), size, where)
    elif style == "prob_uniform":
        found = (size > 0).astype(np.float64)
    else:
        found = _of_blocks(style.split(";")[1:] or [f"0:{len(size)}:1"], size, where)
    found = np.where(size > 0, found, 0.0)
    if not found.sum() > 0:
        key = "auto_prob" if given is None else "sys_probs"
        raise DPError(f"{where}.{key}: no frame can be drawn; give a system with frames a chance")
    out: Floats = found / found.sum()
    return out


def _completed(given: Floats, size: Floats, where: str) -> Floats:
    if len(given) != len(size):
        raise DPError(
            f"{where}.sys_probs: {len(given)} numbers for {len(size)} systems; give one for each system "
            "that is found"
        )
    fixed = given >= 0
    rest = np.where(fixed, 0.0, size)
    left = max(1.0 - given[fixed].sum(), 0.0)
    share = rest / rest.sum() if rest.any() else rest
    return np.where(fixed, given, left * share)


def _of_blocks(blocks: Sequence[str], size: Floats, where: str) -> Floats:
    out = np.zeros_like(size)
    seen = np.zeros(len(size), np.bool_)
    for block in blocks:
        first, last, weight = block.split(":")
        chosen = slice(int(first), int(last))
        if int(last) > len(size):
            raise DPError(
                f"{where}.auto_prob: the block {block} goes beyond the {len(size)} systems that are found"
            )
        if seen[chosen].any():
            raise DPError(f"{where}.auto_prob: the block {block} overlaps another; part them")
        seen[chosen] = True
        # A block of which nothing is left takes its weight with it.
        if size[chosen].any():
            out[chosen] = float(weight) * size[chosen] / size[chosen].sum()
    return out
