"""Numbers of neighbours, found from data where a model section leaves them open."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpcore.settings.found import cutoffs, holder_of, open_numbers, too_small, with_found
from dpcore.train.data.sample import Source
from dpcore.train.statistics.neighbours import neighbour_statistics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """A model section without open numbers.

    Attributes:
        settings: the section.
        shortest: distance of the closest two atoms of the data, Å, which tables are made for; None where
            none are within the cutoff, or nothing is to be counted.
    """

    settings: dict[str, Any]
    shortest: float | None = None


def with_auto_sel(
    settings: Mapping[str, Any], sources: Sequence[Source], type_map: Sequence[str] = ()
) -> Fitted:
    """Return a model section with numbers in place of ``auto``, from one pass over all frames.

    A number is the most neighbours of any atom, times 1.1 or what stands behind ``auto:``, rounded up to a
    multiple of 4. Numbers that are given, but too small, are warned of.

    Args:
        settings: the complete section.
        sources: the training data, its types by the section's ``type_map``.
        type_map: names of the types, where the section has none.

    Raises:
        DPError: two atoms at the same place; data and frame are named.
    """
    names, wanted = settings.get("type_map") or type_map, cutoffs(settings)
    if not wanted:
        return Fitted(with_found(settings, type_map, {}))
    found = neighbour_statistics(sources, wanted, len(names))
    section = with_found(settings, type_map, found.crowds)
    log.info("the closest two atoms are %.6g Å apart", found.shortest)
    if found.alone is not None:
        log.warning("%s: has no neighbour within %g Å", found.alone, wanted[-1])
    for key in open_numbers(settings):
        holder, last = holder_of(section, key)
        log.info("%s: %s, from the data", key, holder[last])
    for line in too_small(settings, found.crowds):
        log.warning(line)
    return Fitted(section, found.shortest if math.isfinite(found.shortest) else None)
