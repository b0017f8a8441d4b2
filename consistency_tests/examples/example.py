"""Examples: small random models, and frames to evaluate them on.

Nothing in them is neutral: statistics, biases and timesteps are all away from 0 and 1, so that no term of
a formula can go missing unseen.
"""

import dataclasses as dc
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpcore.descriptors import Descriptor
from dpcore.descriptors.descriptor import DESCRIPTORS
from dpcore.fittings import FITTINGS
from dpcore.frames import Frame
from dpcore.models import Model, StandardModel
from dpcore.tree import Leaf, inside, map_arrays, rebuild

RCUT, RCUT_SMTH = 3.2, 1.2
CELL = np.array([[5.0, 0.0, 0.0], [0.6, 4.8, 0.0], [-0.4, 0.7, 5.2]])
TYPES = np.array([0, 1, 1, 0, 1, 1, 0, 1])
TYPE_NAMES = ("O", "H", "C")

GIVEN = ("fparam", "aparam", "spin", "charge_spin")
"""What frames may have besides atoms and cells, as the calls of DeePMD-kit name it."""


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
        boundaries: whether its frames are periodic, open, or may be both.
        smooth: whether energies change smoothly when neighbours come and go.
        handed: whether a mirror image has another energy.
    """

    name: str
    model: Model
    types: np.ndarray = dc.field(default_factory=lambda: TYPES)
    precision: str = "float64"
    ranked: bool = False
    isotropic: bool = True
    boundaries: tuple[bool, ...] = (True, False)
    smooth: bool = True
    handed: bool = False

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

    def frames(self, *seeds: int) -> list[Frame]:
        """Return a frame for each of the boundaries that the model knows and each seed."""
        return [self.frame(periodic=p, seed=s) for s in seeds or (0,) for p in self.boundaries]

    def with_parameters(self, frame: Frame, *, seed: int = 0) -> Frame:
        """Return the frame with random parameters, spins, charge and multiplicity where the model takes them."""
        rng, told, n = np.random.default_rng(seed), self.model.conditions, len(frame.types)
        fparam = rng.normal(0.0, 1.0, told.numb_fparam) if told.numb_fparam else None
        aparam = rng.normal(0.0, 1.0, (n, told.numb_aparam)) if told.numb_aparam else None
        if any(selection.masked for selection in self.model.selections):
            aparam[:, 0] = rng.uniform(0.0, 1.0, n) < 0.8
        spin = rng.normal(0.0, 1.0, (n, 3)) if told.spin else None
        state = rng.integers((-3, 1), (4, 6)).astype(np.float64) if told.charge_spin else None
        return dc.replace(frame, fparam=fparam, aparam=aparam, spin=spin, charge_spin=state)

    def double(self) -> Any:
        """Return the model with the same numbers in double precision."""
        return map_arrays(lambda x: x.astype(np.float64) if x.dtype.kind in "fV" else x, self.model)

    @property
    def jumps(self) -> bool:
        """Whether energies jump at the cutoff: an excluded pair takes a place of ``sel`` that would
        otherwise be empty and, where the mean of the rows is not zero, contribute.
        """
        return not self.smooth or any(
            bool(getattr(d, "exclude_types", ())) and np.any(getattr(d, "davg", 0.0))
            for _, d in inside(self.model, Descriptor)
        )


def shaken(model: Any, rng: np.random.Generator, *, by_place: bool = False) -> Any:
    """Return a model with random statistics and biases.

    Args:
        model: the model.
        rng: source of the random numbers.
        by_place: give each place of ``sel`` and each of x, y and z statistics of its own, which no training
            does but every formula has to get right.
    """
    fixed = {id(d.davg) for _, d in inside(model, Descriptor) if getattr(d, "set_davg_zero", False)}

    def uniform(like: np.ndarray, low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, like.shape)

    def by_type(like: np.ndarray, low: float, high: float) -> np.ndarray:
        sizes = like.shape
        if by_place or like.ndim != 3:
            return uniform(like, low, high)
        radial, angular = rng.uniform(low, high, (2, sizes[0], 1, 1))
        columns = [radial, angular, angular, angular][: sizes[-1]]
        return np.concatenate(columns, axis=-1) + np.zeros(sizes)

    def shake(path: str, leaf: Leaf) -> Any:
        value, name = leaf.value, path.rpartition(".")[2]
        if name == "davg" and id(value) not in fixed:
            mean = by_type(value, 0.1, 0.3)
            if not by_place and value.shape[-1] == 4:
                mean[..., 1:] = 0.0
            return mean.astype(value.dtype)
        if name == "dstd":
            return by_type(value, 0.3, 0.8).astype(value.dtype)
        if name in {"fparam_inv_std", "aparam_inv_std"}:
            return uniform(value, 0.3, 0.8).astype(value.dtype)
        if name in {"fparam_avg", "aparam_avg", "bias_atom_e", "case_embd", "constant_matrix"}:
            return uniform(value, -1.0, 1.0).astype(value.dtype)
        return value

    def shake_output(path: str, leaf: Leaf) -> Any:
        name, ends = path.rpartition(".")[2], {"out_bias": (-1.0, 1.0), "out_std": (0.3, 0.8)}
        return uniform(leaf.value, *ends[name]) if name in ends else leaf.value

    # Output statistics are drawn last, so that numbers do not depend on where a class declares them.
    return rebuild(rebuild(model, shake), shake_output)


def standard(
    name: str,
    descriptor: dict[str, Any] | Descriptor,
    fitting: dict[str, Any] | None = None,
    *,
    ntypes: int = 2,
    model: dict[str, Any] | None = None,
    types: np.ndarray = TYPES,
    gain: float = 1.0,
    by_place: bool = False,
    truncated: bool = False,
    **about: Any,
) -> Example:
    """Make an example of a standard model; what is not given is small.

    Args:
        name: its name, which seeds its numbers.
        descriptor: settings of the descriptor with its ``type``, or a descriptor.
        fitting: settings of the fitting, with its ``type`` if that is not ``ener``.
        ntypes: number of atom types.
        model: settings of the model.
        types: types of the atoms.
        gain: factor on all weights, to reach the far ends of an activation function.
        by_place: see :func:`shaken`.
        truncated: some atoms have more neighbours than ``sel``.
        about: further attributes of the example.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    type_map = TYPE_NAMES[:ntypes]
    if isinstance(descriptor, dict):
        settings = {"rcut": RCUT, "rcut_smth": RCUT_SMTH} | descriptor
        descriptor = DESCRIPTORS[settings.pop("type")].create(rng, type_map=type_map, **settings)
    given = {"neuron": (5, 5)} | (fitting or {})
    part = FITTINGS[given.pop("type", "ener")].create(
        rng,
        ntypes=ntypes,
        width=descriptor.width,
        frame_width=descriptor.frame_width,
        mixed_types=descriptor.mixed_types,
        **given,
    )
    whole = StandardModel.create(descriptor, part, type_map=type_map, **model or {})
    whole = shaken(whole, rng, by_place=by_place)
    if gain != 1.0:
        whole = rebuild(whole, lambda p, x: gain * x.value if p.endswith("weight") else x.value)
    settings = {"ranked": by_place or truncated, "isotropic": not by_place} | about
    return Example(name, whole, types, precision=lowest_precision(whole), **settings)


def lowest_precision(model: Any) -> str:
    """Return the lowest precision of the networks of a model."""
    found = set()

    def note(_: str, leaf: Leaf) -> Any:
        found.add(leaf.value.dtype.name)
        return leaf.value

    rebuild(model, note)
    return next((p for p in ("bfloat16", "float16", "float32") if p in found), "float64")
