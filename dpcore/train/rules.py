"""What ``batch_size``, ``auto_prob`` and ``sys_probs`` may be."""

import re

from dpcore.errors import DPError

# Words before the colon of a batch size, and whether the number after it may be left out.
_WORDS = {"auto": True, "max": False, "filter": False, "mixed": False, "mix": False}
_NUMBER = re.compile(r"0*[1-9][0-9]{0,8}")
_BLOCK = re.compile(r"\s*(\d+):(\d+):(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)\s*")


def check_batch_size(given: int | tuple[int, ...] | str, where: str) -> None:
    """Refuse a batch size without a meaning.

    Raises:
        DPError: a number below 1, or words that are not understood.
    """
    if not isinstance(given, str):
        numbers = given if isinstance(given, tuple) else (given,)
        for number in numbers:
            if number < 1:
                raise DPError(f"{where}: {number}; a batch has 1 frame or more")
        return
    word, colon, number_text = given.partition(":")
    bare = not colon and _WORDS.get(word, False)
    if word not in _WORDS or not (bare or _NUMBER.fullmatch(number_text)):
        raise DPError(
            f"{where}: {given!r} is not understood; allowed: a number, a list of them, 'auto', 'auto:N', "
            "'max:N', 'filter:N', 'mixed:N', 'mix:N'"
        )


def check_probabilities(style: str, given: tuple[float, ...] | None, where: str) -> None:
    """Refuse rules of how often systems are drawn that have no meaning.

    Raises:
        DPError: words that are not understood, blocks without systems, or probabilities beyond 1.
    """
    if given is not None:
        certain = sum(p for p in given if p >= 0)
        short = certain < 1 - 1e-6 and all(p >= 0 for p in given)
        if not given or not certain <= 1 + 1e-6 or short:
            raise DPError(
                f"{where}.sys_probs: {list(given)} add up to {certain:g}; 1 is needed, where those below 0 "
                "share what is left"
            )
    word, *blocks = style.split(";")
    blocks = [block for block in blocks if block.strip()]
    fits = word.strip() == "prob_sys_size" or (word.strip() == "prob_uniform" and not blocks)
    if not fits:
        raise DPError(
            f"{where}.auto_prob: {style!r} is not understood; allowed: 'prob_uniform', 'prob_sys_size', "
            "'prob_sys_size;i:j:w;…'"
        )
    for block in blocks:
        found = _BLOCK.fullmatch(block)
        if found is None or int(found[1]) >= int(found[2]):
            raise DPError(
                f"{where}.auto_prob: the block {block!r} is not understood; it is i:j:w, the weight w for "
                "systems i to j - 1"
            )
