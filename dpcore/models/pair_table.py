"""The energy of pairs from a table."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch, by_block, centre_types, neighbour_types
from dpcore.errors import DPError
from dpcore.models.biased import BiasedEnergy, neutral_statistics
from dpcore.models.pair_spline import reaching, read_table, spline
from dpcore.neighbours.selection import Selection
from dpcore.tree import buffer, setting
from dpcore.xp import as_type_of, namespace, shape


class PairTable(BiasedEnergy, name="pairtab"):
    """Half the sum over the neighbours of a tabulated energy of pairs of types.

    Between the rows of the table the energy is a cubic spline. It is zero from the end of the table on,
    and not a number below its beginning.
    """

    tab_file: str = setting(
        doc="table of the energies of pairs of types: rows of the distance and the energies of the pairs "
        "0-0, 0-1, …, 1-1, …, in Å and eV"
    )
    # Without a default it would be the property of all models.
    rcut: float = setting(0.0, doc="cutoff, Å")
    sel: int | tuple[int, ...] = setting(
        doc="largest number of neighbours within the cutoff; of a list the sum matters"
    )
    lower: float
    """first distance of the table, Å."""
    spacing: float
    """difference of its distances, Å."""
    intervals: int
    """number of intervals between them."""
    rows: Any = buffer()
    """the table: distance and energies of the pairs of types, ``(row, 1 + pair)``, Å and eV."""
    grid: Any = buffer()
    """``lower``, ``spacing``, ``intervals`` and the number of types, as files have them."""
    cubics: Any = buffer()
    """coefficients of the splines, highest power first, ``(type, type, interval, 4)``, eV."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.most < 1:
            raise DPError(
                f"model.sel: {self.sel} allows no neighbours; a positive number is needed"
            )
        if not self.rcut > 0:
            raise DPError(f"model.rcut: {self.rcut}; a positive cutoff is needed")
        ntypes = len(self.type_map)
        needed = {
            "rows": (self.intervals + 1, 1 + ntypes * (ntypes + 1) // 2),
            "grid": (4,),
            "cubics": (ntypes, ntypes, self.intervals, 4),
        }
        for key, sizes in needed.items():
            if shape(getattr(self, key)) != sizes:
                raise DPError(f"model.{key}: shape {shape(getattr(self, key))}; {sizes} is needed")
        if not self.spacing > 0:
            raise DPError(f"model.spacing: {self.spacing} must be positive")

    @classmethod
    def create(
        cls, *, tab_file: str, rcut: float, key: str = "model.tab_file", **settings: Any
    ) -> Self:
        """Read a table.

        Args:
            tab_file: the file.
            rcut: cutoff, Å.
            key: the setting that names the file, for messages.
            settings: further settings of the class.

        Raises:
            DPError: the file is no such table, or its table does not fit the types and the cutoff.
        """
        rows = read_table(tab_file, len(settings["type_map"]), key)
        whole = reaching(rows, rcut, f"{key}: {tab_file}")
        return cls.of(whole, tab_file=tab_file, rcut=rcut, **settings)

    @classmethod
    def of(cls, rows: NDArray[np.float64], *, type_map: tuple[str, ...], **settings: Any) -> Self:
        """Return the energy that a table of numbers stands for.

        Args:
            rows: distance and energies of the pairs of types, ``(row, 1 + pair)``, Å and eV.
            type_map: names of the atom types.
            settings: further settings of the class.
        """
        lower, spacing = float(rows[0, 0]), float(rows[1, 0] - rows[0, 0])
        intervals, ntypes = len(rows) - 1, len(type_map)
        return cls(
            type_map=type_map,
            lower=lower,
            spacing=spacing,
            intervals=intervals,
            rows=rows,
            grid=np.array([lower, spacing, intervals, ntypes], np.float64),
            cubics=spline(rows, ntypes),
            **neutral_statistics(ntypes),
            **settings,
        )

    @property
    def most(self) -> int:
        """Largest number of neighbours."""
        return self.sel if isinstance(self.sel, int) else sum(self.sel)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The nearest neighbours of all types."""
        all_types = Selection.of_all_types(self.rcut, self.most, len(self.type_map))
        return (all_types.with_excluded(self.pair_exclude_types),)

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the energy of each centre, ``(centre, 1)``, eV."""
        xp, block = namespace(displacement), batch.view.blocks[0][0]
        vectors = by_block(batch.view, displacement)[0][0]
        distance = xp.sqrt(xp.sum(vectors * vectors, axis=-1))
        pairs = centre_types(batch)[:, None] * len(self.type_map) + neighbour_types(batch, block)
        energy = xp.where(block.mask(), self._energy(distance, pairs), xp.zeros_like(distance))
        return self.finished(0.5 * xp.sum(energy, axis=1)[:, None], batch)

    def _energy(self, distance: Any, pairs: Any) -> Any:
        """Return the energies of pairs of types, ``(centre, neighbour)``, eV."""
        xp, intervals = namespace(distance), self.intervals
        position = (distance - self.lower) * (1.0 / self.spacing)
        zero = xp.zeros_like(position)
        place = xp.stop_gradient(xp.minimum(position, zero + (intervals - 1)))
        interval = xp.astype(xp.maximum(place, zero), "int64")
        u = position - as_type_of(interval, distance)
        index = xp.reshape(pairs * intervals + interval, (-1,))
        found = xp.take(xp.reshape(as_type_of(self.cubics, distance), (-1, 4)), index, axis=0)
        c = [xp.reshape(found[:, i], shape(distance)) for i in range(4)]
        energy = ((c[0] * u + c[1]) * u + c[2]) * u + c[3]
        beyond = (distance >= self.rcut) | (position >= intervals)
        energy = xp.where(beyond, zero, energy)
        return xp.where(position < 0.0, zero + float("nan"), energy)
