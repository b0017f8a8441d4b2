"""The layerwise Kalman filter (Hu et al., arXiv:2212.06989)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.train.losses import Loss
from dpcore.train.optimizers.goals import Goal
from dpcore.train.optimizers.kalman_goals import KalmanGoal, chosen_atoms
from dpcore.train.optimizers.optimizer import Optimizer, check_positive
from dpcore.train.parameters import Layout
from dpcore.tree import Tree, buffer, setting
from dpcore.xp import as_type_of, namespace

# The part of the past that is kept at the start, and how fast it goes to one.
_KEPT, _SLOWNESS = 0.98, 0.9987


class Covariance(Tree):
    """What is known of the parameters of a block.

    Attributes:
        value: the covariance, ``(parameter, parameter)``.
    """

    value: Any = buffer()


class KalmanState(Tree):
    """What the filter remembers.

    Attributes:
        kept: the part of the past that is kept, a number.
        blocks: the covariance of each block of parameters.
    """

    kept: Any = buffer()
    blocks: tuple[Covariance, ...]


class KalmanFilter(Optimizer, name="LKF"):
    """A Kalman filter for blocks of parameters, which takes no learning rate.

    A step follows the energies, and then the forces on some atoms a few times.
    """

    kf_blocksize: int = setting(5120, doc="largest number of parameters of a block")
    kf_start_pref_e: float = setting(1.0, doc="factor on the energy at the start")
    kf_limit_pref_e: float = setting(1.0, doc="factor on the energy that it goes to")
    kf_start_pref_f: float = setting(1.0, doc="factor on forces at the start")
    kf_limit_pref_f: float = setting(1.0, doc="factor on forces that it goes to")

    def __post_init__(self) -> None:
        if self.kf_blocksize < 1:
            raise DPError(f"optimizer.kf_blocksize: {self.kf_blocksize}; it is 1 or above")
        for kind in "ef":
            for end in ("start", "limit"):
                key = f"kf_{end}_pref_{kind}"
                check_positive(key, getattr(self, key), or_zero=False)

    @property
    def goal_losses(self) -> Mapping[str, Loss]:
        """Energies and forces."""
        return {"energy": KalmanGoal(), "force": KalmanGoal(follows="force")}

    def goals(self, batch: Batch, done: float, rng: np.random.Generator) -> Iterator[Goal]:
        """Yield the energies, and the forces on atoms drawn several times."""
        yield Goal("energy", self._prefactor("e", done))
        for target in chosen_atoms(batch, rng):
            yield Goal("force", self._prefactor("f", done), (target,))

    def _prefactor(self, kind: str, done: float) -> float:
        start, limit = (getattr(self, f"kf_{end}_pref_{kind}") for end in ("start", "limit"))
        return float(start * (limit / start) ** done)

    def start(self, layout: Layout, vector: NDArray[Any]) -> KalmanState:
        """Return the state before the first step."""
        blocks = tuple(Covariance(value=np.eye(n, dtype=vector.dtype)) for n in self._sizes(layout))
        return KalmanState(kept=np.full((), _KEPT, vector.dtype), blocks=blocks)

    def __call__(
        self, vector: Any, gradient: Any, state: KalmanState, rate: Any, layout: Layout
    ) -> tuple[Any, KalmanState]:
        """Return parameters and state after a goal, ``rate`` being how far that is off."""
        xp, rate = namespace(vector), as_type_of(rate, vector)
        sizes = self._sizes(layout)
        slopes = xp.split(self._packed(gradient, layout), sizes)
        pulls = [
            xp.matmul(block.value, slope[:, None])[:, 0]
            for block, slope in zip(state.blocks, slopes, strict=True)
        ]
        spread = sum(xp.sum(a * b) for a, b in zip(slopes, pulls, strict=True))
        gain = 1.0 / (len(sizes) * state.kept + spread)
        blocks = tuple(
            Covariance(value=(block.value - gain * pull[:, None] * pull[None, :]) / state.kept)
            for block, pull in zip(state.blocks, pulls, strict=True)
        )
        vector = vector + gain * rate * self._packed(xp.concat(pulls, axis=0), layout, back=True)
        kept = _SLOWNESS * state.kept + (1.0 - _SLOWNESS)
        return vector, KalmanState(kept=kept, blocks=blocks)

    def _sizes(self, layout: Layout) -> list[int]:
        return block_sizes([slot.length for slot in layout.slots], self.kf_blocksize)

    def _packed(self, vector: Any, layout: Layout, *, back: bool = False) -> Any:
        """Return a vector with the numbers of arrays that are cut in the order of their last axis.

        Args:
            vector: the vector.
            layout: what is where in it.
            back: the reverse.
        """
        xp, parts = namespace(vector), list[Any]()
        each = xp.split(vector, [slot.length for slot in layout.slots])
        for slot, part in zip(layout.slots, each, strict=True):
            if slot.length > self.kf_blocksize and len(slot.sizes) > 1:
                sizes = slot.sizes[::-1] if back else slot.sizes
                turned = xp.permute_dims(xp.reshape(part, sizes), tuple(range(len(sizes)))[::-1])
                parts.append(xp.reshape(turned, (-1,)))
            else:
                parts.append(part)
        return xp.concat(parts, axis=0)


def block_sizes(lengths: Sequence[int], largest: int) -> list[int]:
    """Return the sizes of the blocks that arrays are put into, one array after another.

    Args:
        lengths: number of parameters of each array; those that fit into a block are not cut.
        largest: largest size of a block.
    """
    wholes = [0]
    for length in lengths:
        if wholes[-1] and wholes[-1] + length > largest:
            wholes.append(0)
        wholes[-1] += length
    return [min(largest, whole - start) for whole in wholes for start in range(0, whole, largest)]
