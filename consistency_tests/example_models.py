"""Small random models that between them use every setting, and frames to evaluate them on.

Nothing in them is neutral: statistics, biases and timesteps are all away from 0 and 1, so that no term of
a formula can go missing unseen.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpcore.descriptors import SeE2A
from dpcore.fittings import EnergyFitting
from dpcore.infer.frames import Frame
from dpcore.models import EnergyModel
from dpcore.tree import Leaf, map_arrays, rebuild

RCUT, RCUT_SMTH = 3.2, 1.2
CELL = np.array([[5.0, 0.0, 0.0], [0.6, 4.8, 0.0], [-0.4, 0.7, 5.2]])
TYPES = np.array([0, 1, 1, 0, 1, 1, 0, 1])


@dataclass(frozen=True)
class Example:
    """A model and what may be asked of it.

    Attributes:
        name: what the example is about.
        model: the model.
        types: types of the atoms of its frames.
        precision: the lowest precision in it.
        ranked: the result depends on the order of neighbours by distance, so that it is not defined where
            two are equally far: places of ``sel`` have statistics of their own, or ``sel`` is too small.
        isotropic: statistics treat x, y and z alike, so that the energy does not change on rotation.
    """

    name: str
    model: EnergyModel
    types: np.ndarray
    precision: str = "float64"
    ranked: bool = False
    isotropic: bool = True

    def __str__(self) -> str:
        return self.name

    def frame(self, *, periodic: bool = True, seed: int = 0) -> Frame:
        """Return eight atoms at about the density of a liquid."""
        rng = np.random.default_rng(seed)
        corners = np.stack(np.meshgrid(*[[0.0, 0.5]] * 3), axis=-1).reshape(-1, 3)
        coord = (corners + rng.uniform(-0.12, 0.12, (8, 3))) @ CELL
        return self.with_parameters(
            Frame(coord, self.types, CELL if periodic else None), seed=seed + 100
        )

    def with_parameters(self, frame: Frame, *, seed: int = 0) -> Frame:
        """Return the frame with random frame and atomic parameters where the model takes them."""
        rng, fitting = np.random.default_rng(seed), self.model.fitting
        n = len(frame.types)
        fparam = rng.normal(0.0, 1.0, fitting.numb_fparam) if fitting.numb_fparam else None
        aparam = rng.normal(0.0, 1.0, (n, fitting.numb_aparam)) if fitting.numb_aparam else None
        return Frame(frame.coord, frame.types, frame.cell, frame.pbc, fparam, aparam)

    def double(self) -> EnergyModel:
        """Return the model with the same numbers in double precision."""
        return map_arrays(lambda x: x.astype(np.float64), self.model)

    @property
    def jumps(self) -> bool:
        """Whether energies jump at the cutoff: an excluded pair takes a place of ``sel`` that would
        otherwise be empty and, where the mean of the rows is not zero, contribute.
        """
        return bool(self.model.descriptor.exclude_types) and bool(self.model.descriptor.davg.any())


def shaken(model: EnergyModel, rng: np.random.Generator, *, by_place: bool) -> EnergyModel:
    """Return the model with random statistics and biases.

    Args:
        model: the model.
        rng: source of the random numbers.
        by_place: give each place of ``sel`` and each of x, y and z statistics of its own, which no training
            does but every formula has to get right.
    """

    def uniform(like: np.ndarray, low: float, high: float) -> np.ndarray:
        sizes = like.shape
        if by_place or like.ndim != 3 or sizes[-1] != 4:
            return rng.uniform(low, high, sizes)
        radial, angular = rng.uniform(low, high, (2, sizes[0], 1, 1))
        return np.concatenate([radial, angular, angular, angular], axis=-1) + np.zeros(sizes)

    def shake(path: str, leaf: Leaf) -> Any:
        value, name = leaf.value, path.rpartition(".")[2]
        if name == "davg" and not model.descriptor.set_davg_zero:
            mean = uniform(value, 0.1, 0.3)
            if not by_place:
                mean[..., 1:] = 0.0
            return mean.astype(value.dtype)
        if name in {"dstd", "fparam_inv_std", "aparam_inv_std"}:
            return uniform(value, 0.3, 0.8).astype(value.dtype)
        if name in {"fparam_avg", "aparam_avg", "bias_atom_e", "out_bias"}:
            return uniform(value, -1.0, 1.0).astype(value.dtype)
        return value

    return rebuild(model, shake)


def example(
    name: str,
    *,
    sel: tuple[int, ...] = (10, 12),
    descriptor: dict[str, Any] | None = None,
    fitting: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    types: np.ndarray = TYPES,
    gain: float = 1.0,
    by_place: bool = False,
    truncated: bool = False,
) -> Example:
    """Make an example; what is not given is small.

    Args:
        name: its name, which seeds its numbers.
        sel: largest number of neighbours of each type.
        descriptor: settings of the descriptor.
        fitting: settings of the fitting.
        model: settings of the model.
        types: types of the atoms.
        gain: factor on all weights, to reach the far ends of an activation function.
        by_place: see :func:`shaken`.
        truncated: some atoms have more neighbours than ``sel``.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    small = {"neuron": (3, 6), "axis_neuron": 2, "rcut": RCUT, "rcut_smth": RCUT_SMTH}
    parts = SeE2A.create(rng, sel=sel, **small | (descriptor or {}))
    ntypes = len(sel)
    settings = {"neuron": (5, 5)} | (fitting or {})
    whole = EnergyModel(
        type_map=("O", "H", "C")[:ntypes],
        descriptor=parts,
        fitting=EnergyFitting.create(rng, ntypes=ntypes, width=parts.width, **settings),
        out_bias=np.zeros((1, ntypes, 1)),
        out_std=np.ones((1, ntypes, 1)),
        **model or {},
    )
    whole = shaken(whole, rng, by_place=by_place)
    if gain != 1.0:
        whole = rebuild(whole, lambda p, x: gain * x.value if p.endswith("weight") else x.value)
    precisions = [parts.precision, whole.fitting.precision]
    order = ["bfloat16", "float16", "float32"]
    lowest = next((p for p in order if p in precisions), "float64")
    return Example(name, whole, types, lowest, by_place or truncated, not by_place)


def _activations(descriptor: str, fitting: str, gain: float = 1.0) -> Example:
    name = f"{descriptor}-{fitting}".replace(":", "_")
    return example(
        name,
        descriptor={"activation_function": descriptor},
        fitting={"activation_function": fitting},
        gain=gain,
    )


def _precision(descriptor: str, fitting: str) -> Example:
    name = descriptor if descriptor == fitting else f"{descriptor}-{fitting}"
    return example(name, descriptor={"precision": descriptor}, fitting={"precision": fitting})


EXAMPLES = [
    example("plain"),
    example("one_side", descriptor={"type_one_side": True}),
    example("timesteps", descriptor={"resnet_dt": True}, fitting={"resnet_dt": True}),
    example("no_timesteps", fitting={"resnet_dt": False}),
    example("by_place", by_place=True),
    example("set_davg_zero", descriptor={"set_davg_zero": True}),
    example("env_protection", descriptor={"env_protection": 0.2}),
    example("exclude_types", descriptor={"exclude_types": ((0, 1), (1, 1))}, by_place=True),
    example(
        "exclude_types_zero_mean",
        descriptor={"exclude_types": ((0, 1),), "set_davg_zero": True},
        gain=2.0,
    ),
    example(
        "widths",
        descriptor={"neuron": (1, 2, 2, 4, 3), "axis_neuron": 3, "resnet_dt": True},
        fitting={"neuron": (12, 24, 24, 7)},
        gain=2.0,
    ),
    _activations("relu", "relu6", gain=2.0),
    _activations("softplus", "sigmoid"),
    _activations("gelu", "gelu_tf"),
    _activations("silu", "silut", gain=5.0),
    _activations("silut:5.0", "linear", gain=4.0),
    _activations("none", "custom_silu:0.5"),
    _precision("float32", "float32"),
    _precision("float16", "float16"),
    _precision("bfloat16", "bfloat16"),
    _precision("float32", "float64"),
    _precision("float64", "bfloat16"),
    example("fparam", fitting={"numb_fparam": 2, "default_fparam": (0.4, -0.7)}),
    example("aparam", fitting={"numb_aparam": 3}),
    example("aparam_mask", fitting={"numb_aparam": 1, "use_aparam_as_mask": True}),
    example(
        "atom_ener",
        descriptor={"set_davg_zero": True},
        fitting={"atom_ener": (-1.5, None), "numb_fparam": 1, "numb_aparam": 2},
    ),
    example("fitting_exclude_types", fitting={"exclude_types": (1,)}),
    example(
        "model_exclude_types",
        model={"atom_exclude_types": (0,), "pair_exclude_types": ((0, 1),)},
        by_place=True,
    ),
    example("truncated", sel=(3, 2), truncated=True),
    example("sel_0_1", sel=(1, 0), types=1 - TYPES, truncated=True),
    example("one_type", sel=(20,), types=np.zeros(8, np.int64)),
    example("absent_type", sel=(8, 6, 10), types=np.array([0, 2, 2, 0, 2, 2, 0, 2])),
]

BY_NAME = {e.name: e for e in EXAMPLES}
