"""Coordinates of the neighbours in a frame of their own."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, Neighbours, by_block
from dpcore.descriptors.axes import Axis, Listed, axes_of, frame
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.descriptors.normalised import Normalised
from dpcore.errors import DPError
from dpcore.neighbours.selection import Selection
from dpcore.tree import buffer, setting
from dpcore.xp import as_type_of, namespace, shape


class LocFrame(Descriptor, name="loc_frame"):
    """Coordinates in a frame whose axes point to two of the neighbours, without any network.

    Of a neighbour at ``(x, y, z)`` in the frame the nearest are described by
    ``(1/r, z/r², x/r², y/r²)``, others by ``1/r``, sorted by type and distance. The features jump where
    neighbours change places or cross the cutoff. An atom without the neighbours that define its axes sees
    distances alone.
    Source: Zhang et al., Phys. Rev. Lett. 120, 143001 (2018), arXiv:1707.09571.
    """

    sel_a: tuple[int, ...] = setting(
        doc="number of neighbours of each type that are described by their coordinates"
    )
    sel_r: tuple[int, ...] = setting(
        doc="number of neighbours of each type, beyond those, that are described by their distance"
    )
    rcut: float = setting(6.0, doc="cutoff, Å")
    axis_rule: tuple[int, ...] = setting(
        doc="for each centre type the neighbour of either axis: class (0: of sel_a, 1: of sel_r), type, and "
        "order by distance within these. A type of -1-t stands for the nearest of all types but t (-t in "
        "class 1). Without any rules the axes point to the first two neighbours"
    )
    davg: Any = buffer()
    dstd: Any = buffer()

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,  # noqa: ARG003  # nothing is drawn
        *,
        type_map: tuple[str, ...] = (),  # noqa: ARG003
        **settings: Any,
    ) -> Self:
        """Return a descriptor with neutral statistics."""
        sizes = (len(settings["sel_a"]), 4 * sum(settings["sel_a"]) + sum(settings["sel_r"]))
        return cls(davg=np.zeros(sizes), dstd=np.ones(sizes), **settings)

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return len(self.sel_a)

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return 4 * sum(self.sel_a) + sum(self.sel_r)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours this descriptor asks for."""
        sel = tuple(a + r for a, r in zip(self.sel_a, self.sel_r, strict=True))
        return (Selection(rcut=self.rcut, sel=sel, full=True, by_type=True),)

    @property
    def normalised_rows(self) -> Mapping[str, Normalised]:
        """The features, each by itself."""
        (selection,) = self.selections
        plain = self.with_(davg=0.0 * self.davg, dstd=0.0 * self.dstd + 1.0)
        rows = Normalised(
            selection=selection,
            rows=lambda batch, displacement: plain(batch, displacement).features,
            places=1,
            sets=tuple(range(self.width)),
            by_edge=False,
            told={"sel_a": self.sel_a, "sel_r": self.sel_r, "axis_rule": self.axis_rule},
        )
        return {"": rows}

    def axes(self, centre: int) -> list[Axis]:
        """Return where the axes of a centre type point."""
        return axes_of(self.axis_rule[6 * centre : 6 * centre + 6], (self.sel_a, self.sel_r))

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        rows = zip(batch.groups, batch.view.blocks, by_block(batch.view, displacement), strict=True)
        each = [self._of_group(group.type or 0, blocks, parts) for group, blocks, parts in rows]
        return Description(namespace(displacement).concat(each, axis=0))

    def _of_group(self, centre: int, blocks: tuple[Neighbours, ...], parts: list[Any]) -> Any:
        """Return the features of a group from its displacements by block, ``(centre, width)``."""
        near, far = self._listed(blocks, parts)
        axes, there = frame((near, far), self.axes(centre))
        rows = [_coordinates(near, axes, there), _inverse(far)]
        xp, n = namespace(axes), shape(axes)[0]
        features = xp.concat([xp.reshape(part, (n, -1)) for part in rows], axis=1)
        davg, dstd = (as_type_of(x[centre, :], features) for x in (self.davg, self.dstd))
        return as_type_of((features - davg) / dstd, self.davg)

    def _listed(self, blocks: tuple[Neighbours, ...], parts: list[Any]) -> tuple[Listed, Listed]:
        """Return the neighbours described by coordinates, and those by their distance."""
        xp, sels = namespace(parts[0]), (self.sel_a, self.sel_r)
        vectors, there = [], []
        for block, part, *sizes in zip(blocks, parts, *sels, strict=True):
            vectors.append(xp.split(part, sizes, axis=1))
            there.append(xp.split(block.mask(), sizes, axis=1))
        near, far = (
            Listed(
                xp.concat([cut[kind] for cut in vectors], axis=1),
                xp.concat([cut[kind] for cut in there], axis=1),
                sels[kind],
            )
            for kind in (0, 1)
        )
        return near, far


def _inverse(listed: Listed) -> Any:
    """Return the inverse distances, 0 in empty places, ``(centre, place, 1)``."""
    xp, vectors = namespace(listed.vectors), listed.vectors
    inverse = 1.0 / xp.sqrt(xp.sum(vectors * vectors, axis=2, keepdims=True))
    return inverse * as_type_of(listed.there, vectors)[:, :, None]


def _coordinates(listed: Listed, axes: Any, there: Any) -> Any:
    """Return ``(1/r, z/r², x/r², y/r²)`` in the frame, ``(centre, place, 4)``."""
    xp, inverse = namespace(axes), _inverse(listed)
    local = xp.matmul(listed.vectors, xp.permute_dims(axes, (0, 2, 1)))
    local = local * inverse * inverse * as_type_of(there, axes)[:, None, None]
    return xp.concat([inverse, local[:, :, 2:], local[:, :, :2]], axis=2)


def _check(settings: LocFrame) -> None:
    """Raise a one-line error for settings that have no meaning, or statistics that do not fit them."""
    ntypes = settings.ntypes
    if len(settings.sel_r) != ntypes:
        raise DPError(
            f"descriptor.sel_r: {len(settings.sel_r)} numbers, sel_a has {ntypes}; both need one for each "
            "type"
        )
    for key in ("sel_a", "sel_r"):
        if min(getattr(settings, key), default=-1) < 0:
            raise DPError(
                f"descriptor.{key}: {list(getattr(settings, key))} must hold a neighbour count for each type"
            )
    if settings.rcut <= 0:
        raise DPError(f"descriptor.rcut: {settings.rcut} must be positive")
    if len(settings.axis_rule) not in {0, 6 * ntypes}:
        raise DPError(
            f"descriptor.axis_rule: {len(settings.axis_rule)} numbers; 6 for each of {ntypes} types, "
            f"{6 * ntypes}, are needed, or none"
        )
    for centre in range(ntypes):
        settings.axes(centre)
    for key in ("davg", "dstd"):
        found = shape(getattr(settings, key))
        if found != (ntypes, settings.width):
            raise DPError(
                f"descriptor.{key}: shape {found}; these settings need {(ntypes, settings.width)}"
            )
