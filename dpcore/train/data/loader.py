"""Batches with their labels, made ahead of the steps that need them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.infer.assemble import assemble
from dpcore.models import Model
from dpcore.models.survey import unselected_types
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import Sizes
from dpcore.train.acts import Act
from dpcore.train.data.dataset import DataSet
from dpcore.train.data.inputs import Inputs
from dpcore.train.data.labels import targets_of
from dpcore.train.data.picks import Drawn, Pick, Position
from dpcore.train.data.prefetch import Prefetch
from dpcore.train.data.sample import Sample
from dpcore.train.data.sampler import Sampler
from dpcore.train.targets import Target, Wanted

Layout = Callable[[Sequence[Frame]], Batch]
"""Finds the neighbours of frames and lays them out as one batch."""

Cast = Callable[[Sequence[Frame], Batch], tuple[Act, ...]]
"""Returns what the parts of a model are evaluated on, for frames and the batch that these are."""


@dataclass(frozen=True, eq=False)
class Portion:
    """What a step is made of.

    Attributes:
        batch: the frames.
        targets: their labels by name.
        nframes: how many frames there are.
        natoms: how many atoms they have.
        acts: what parts of the model are evaluated on in place of them.
        places: where the frames are stored, for messages.
        volumes: volume of the cell of each frame, Å³; 0 of one without a cell.
    """

    batch: Batch
    targets: Mapping[str, Target]
    nframes: int
    natoms: int
    acts: tuple[Act, ...] = ()
    places: tuple[str, ...] = ()
    volumes: tuple[float, ...] = ()


def one_batch(selections: Sequence[Selection], sizes: Sizes, dtype: str = "float64") -> Layout:
    """Return what lays out frames as a batch that has all their atoms as centres.

    Args:
        selections: the neighbours that the model asks for.
        sizes: how far to pad.
        dtype: dtype of the displacements and parameters.
    """

    def layout(frames: Sequence[Frame]) -> Batch:
        found = assemble(frames, selections, sizes, dtype)
        return next(found.batches(max(1, len(found.types))))

    return layout


@dataclass(frozen=True, eq=False)
class Maker:
    """Make batches of frames that were drawn.

    Attributes:
        data: where the frames are.
        inputs: what the model takes besides atoms.
        wanted: the labels that count.
        layout: lays out the frames.
        selected: types of the atoms that labels of atoms list where they do not list all.
        cast: returns what parts of the model are evaluated on, for frames and the batch that these are.
    """

    data: DataSet
    inputs: Inputs
    wanted: tuple[Wanted, ...]
    layout: Layout
    selected: tuple[int, ...] | None = None
    cast: Cast | None = None

    @classmethod
    def of(
        cls,
        data: DataSet,
        model: Model,
        wanted: Sequence[Wanted],
        layout: Layout,
        *,
        cast: Cast | None = None,
    ) -> Self:
        """Return what makes batches for a model, once it is certain that the data have what it takes.

        Raises:
            DPError: a system lacks what the model takes, or a label that the loss needs.
        """
        inputs = Inputs.of(model)
        inputs.check(data.sources)
        data.check_labels(wanted)
        lacking = unselected_types(model)
        selected = [t for t in range(len(model.type_map)) if t not in lacking]
        return cls(data, inputs, tuple(wanted), layout, tuple(selected), cast)

    def make(self, picks: Sequence[Pick]) -> Portion:
        """Read frames and lay them out.

        Raises:
            DPError: a frame is not usable: file or system, and frame, are named.
        """
        samples = self.read(picks)
        places = [self.data.place(pick) for pick in picks]
        frames = [
            self.inputs.completed(sample.frame, where)
            for sample, where in zip(samples, places, strict=True)
        ]
        batch, acts = self._laid_out(frames, picks)
        targets = targets_of(samples, places, self.wanted, batch, self.selected)
        natoms = sum(len(frame.types) for frame in frames)
        volumes = (0.0 if f.cell is None else abs(np.linalg.det(f.cell)) for f in frames)
        return Portion(
            batch, targets, len(frames), natoms, acts, tuple(places), tuple(map(float, volumes))
        )

    def read(self, picks: Sequence[Pick]) -> list[Sample]:
        """Read frames, those of each system together.

        Raises:
            DPError: a frame is not usable.
        """
        rows_of, out = dict[int, list[int]](), dict[int, Sample]()
        for row, pick in enumerate(picks):
            rows_of.setdefault(pick.system, []).append(row)
        for system, rows in rows_of.items():
            found = self.data.source(system).samples([picks[row].frame for row in rows])
            out |= dict(zip(rows, found, strict=True))
        return [out[row] for row in range(len(picks))]

    def _laid_out(
        self, frames: Sequence[Frame], picks: Sequence[Pick]
    ) -> tuple[Batch, tuple[Act, ...]]:
        try:
            return self._staged(frames)
        except DPError:
            # One by one it is known which frame it is, and where that is stored.
            for frame, pick in zip(frames, picks, strict=True):
                try:
                    self._staged([frame])
                except DPError as error:
                    what = str(error).removeprefix("frame 0").lstrip(":, ")
                    raise DPError(f"{self.data.place(pick)}: {what}") from error
            raise

    def _staged(self, frames: Sequence[Frame]) -> tuple[Batch, tuple[Act, ...]]:
        batch = self.layout(frames)
        return batch, () if self.cast is None else self.cast(frames, batch)


class Loader(Iterator[Portion]):
    """Draw frames and make batches of them, ahead of the steps.

    Args:
        maker: makes the batches.
        sampler: draws the frames.
        ahead: how many batches are kept ready; 0 to make each when it is asked for.
    """

    def __init__(self, maker: Maker, sampler: Sampler, ahead: int = 2) -> None:
        self._maker, self._sampler, self._ahead = maker, sampler, ahead
        self._prefetch: Prefetch[tuple[Drawn, Portion]] | None = None
        self._waited = 0.0
        now = sampler.position
        self._position = Position(now.draws, list(now.taken))

    def steps(self, epochs: float) -> int:
        """Return how many steps see all frames so often, by expectation."""
        return self._sampler.steps(epochs)

    @property
    def maker(self) -> Maker:
        """What makes the batches."""
        return self._maker

    @property
    def waited(self) -> float:
        """Seconds that were spent waiting for batches that were not ready."""
        now = 0.0 if self._prefetch is None else self._prefetch.waited
        return self._waited + now

    def __next__(self) -> Portion:
        """Return the next batch.

        Raises:
            DPError: a frame is not usable.
        """
        if not self._ahead:
            drawn, portion = self._make()
        else:
            if self._prefetch is None:
                self._prefetch = Prefetch(self._make, self._ahead)
            drawn, portion = next(self._prefetch)
        self._position.add(drawn)
        return portion

    def state(self) -> dict[str, Any]:
        """Return where the data go on behind the last batch that was taken, to be written as JSON."""
        return self._sampler.state(self._position)

    def restore(self, state: Mapping[str, Any]) -> bool:
        """Go on from a stored state.

        Returns:
            whether the data have as many frames as then; if not, all frames are taken anew.

        Raises:
            DPError: it is no such state.
        """
        self.close()
        same = self._sampler.restore(state)
        now = self._sampler.position
        self._position = Position(now.draws, list(now.taken))
        return same

    def close(self) -> None:
        """End the thread that makes batches; what it has made is drawn again."""
        if self._prefetch is not None:
            self._prefetch.close()
            self._waited, self._prefetch = self.waited, None
            self._sampler.restore(self._sampler.state(self._position))

    def _make(self) -> tuple[Drawn, Portion]:
        drawn = self._sampler.draw()
        return drawn, self._maker.make(drawn.picks)
