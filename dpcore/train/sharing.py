"""What the branches of a multi-task model share: parameters, and statistics of their data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dpcore.errors import DPError
from dpcore.fittings import Fitting
from dpcore.models import Model, StandardModel
from dpcore.settings.shared import Link
from dpcore.train.parameters import full_path
from dpcore.train.statistics import Statistics
from dpcore.train.statistics.sums import Sums
from dpcore.tree import Leaf, Module, leaves, rebuild, visit

Models = Mapping[str, Model]

_FITTING = "fitting"
_TYPES = "type_embedding"


@dataclass(frozen=True)
class Place:
    """A component of a branch.

    Attributes:
        branch: the name of the branch.
        prefix: the path of the component in its model.
    """

    branch: str
    prefix: str

    def relative(self, path: str) -> str | None:
        """Return where a path of the branch's model leads inside the component; None if elsewhere."""
        if path == self.prefix:
            return ""
        inside = path.startswith(f"{self.prefix}.")
        return path.removeprefix(f"{self.prefix}.") if inside else None

    def path(self, inside: str) -> str:
        """Return the path in the branch's model of what is inside the component."""
        return f"{self.prefix}.{inside}" if inside else self.prefix


@dataclass(frozen=True)
class Sharing:
    """A component that a branch takes from another one.

    Attributes:
        name: what the section of both is called.
        owner: the component that is taken.
        user: the one in place of which it is taken.
        level: 0 for all of it, from 1 on the type embedding alone.
    """

    name: str
    owner: Place
    user: Place
    level: int

    def shares(self, inside: str, leaf: Leaf) -> bool:
        """Return whether an array inside the component is shared.

        Of fittings bias and the vector that names the data set stay the branch's own.
        """
        if self.level:
            return inside.startswith(f"{_TYPES}.")
        if self.owner.prefix != _FITTING:
            return True
        return leaf.role == "param" or inside.startswith(("fparam_", "aparam_"))

    def pairs(self, models: Models) -> Iterator[tuple[str, str]]:
        """Yield the paths of the shared arrays: in the user's model, and in the owner's."""
        for path, leaf in leaves(models[self.user.branch]).items():
            inside = self.user.relative(path)
            if inside is not None and self.shares(inside, leaf):
                yield path, self.owner.path(inside)

    @property
    def where(self) -> str:
        """The key of the component, for messages."""
        key = "fitting_net" if self.user.prefix == _FITTING else self.user.prefix
        return f"model.model_dict.{self.user.branch}.{key}"


def sharings(links: Sequence[Link]) -> tuple[Sharing, ...]:
    """Return which components are taken from which: of each name the first of the lowest level has it."""
    places: dict[str, list[tuple[int, Place]]] = {}
    for link in links:
        if link.path[1] != "type_map":
            places.setdefault(link.name, []).append((link.level, _place(link.path)))
    found = []
    for name, each in places.items():
        (_, owner), *users = sorted(each, key=lambda entry: entry[0])
        found += [Sharing(name, owner, user, level) for level, user in users]
    return tuple(found)


def _place(path: tuple[str, ...]) -> Place:
    branch, key, *rest = path
    if key == "fitting_net":
        return Place(branch, _FITTING)
    return Place(branch, f"{key}.children.{rest[1]}" if rest else key)


def check_sharings(found: Sequence[Sharing], models: Models) -> None:
    """Check that components can be shared.

    Raises:
        DPError: the models are of different types, or their components not built alike.
    """
    for sharing in found:
        both = [models[place.branch] for place in (sharing.owner, sharing.user)]
        if not all(isinstance(model, StandardModel) for model in both):
            raise DPError(
                f"{sharing.where}: {sharing.name!r} can be shared among standard models alone"
            )
        maps = [list(model.type_map) for model in both]
        if maps[0] != maps[1]:
            raise DPError(
                f"{sharing.where}: {sharing.name!r} is for the types {maps[0]}, those of this branch are "
                f"{maps[1]}; both must agree"
            )
        _check_arrays(sharing, models)


def _check_arrays(sharing: Sharing, models: Models) -> None:
    mine, theirs = (leaves(models[place.branch]) for place in (sharing.user, sharing.owner))
    pairs = list(sharing.pairs(models))
    if not pairs:
        raise DPError(
            f"{sharing.where}: {sharing.name}:{sharing.level} shares the type embedding alone, which it does "
            f"not have; name it {sharing.name!r} to share all of it"
        )
    for path, other in pairs:
        sizes = [
            tuple(x[p].value.shape) if p in x else None for x, p in ((mine, path), (theirs, other))
        ]
        if sizes[0] != sizes[1]:
            raise DPError(
                f"{sharing.where}: {sharing.name!r} cannot be shared: {full_path(sharing.user.branch, path)} is "
                f"{sizes[0]}, {full_path(sharing.owner.branch, other)} {sizes[1] or 'missing'}"
            )


def owners(found: Sequence[Sharing], models: Models) -> dict[str, str]:
    """Return the full path of the owner's array for that of each shared one."""
    return {
        full_path(sharing.user.branch, path): full_path(sharing.owner.branch, other)
        for sharing in found
        for path, other in sharing.pairs(models)
    }


def tied(found: Sequence[Sharing], models: Models) -> dict[str, Model]:
    """Return models with the shared arrays of their owners in place of their own."""
    out = dict(models)
    for sharing in found:
        theirs = leaves(out[sharing.owner.branch])
        values = {path: theirs[other].value for path, other in sharing.pairs(out)}
        out[sharing.user.branch] = _with(out[sharing.user.branch], values)
    return out


def _with(model: Model, values: Mapping[str, object]) -> Model:
    changed: Model = rebuild(model, lambda path, leaf: values.get(path, leaf.value))
    return changed


def merged(
    found: Sequence[Sharing], each: Mapping[str, Statistics], chances: Mapping[str, float]
) -> dict[str, Statistics]:
    """Return the statistics of branches with those of shared components put together.

    Rows of descriptors count as often as they occur, parameters of frames and atoms as often as their branch is
    trained.

    Args:
        found: what is shared.
        each: the statistics of each branch.
        chances: how often a step is of each branch.
    """
    out = {name: _copy(own) for name, own in each.items()}
    whole = [sharing for sharing in found if not sharing.level]
    for sharing in whole:
        owner, user = sharing.owner, sharing.user
        weight = chances[user.branch] / max(chances[owner.branch], 1e-300)
        for kind in ("rows", "parameters"):
            into: dict[str, Sums] = getattr(out[owner.branch], kind)
            for path, sums in getattr(each[user.branch], kind).items():
                inside = user.relative(path)
                if inside is not None:
                    at = owner.path(inside)
                    into[at] = into[at] + sums.weighted(1.0 if kind == "rows" else weight)
    for sharing in whole:
        for kind in ("rows", "parameters"):
            taken: dict[str, Sums] = getattr(out[sharing.user.branch], kind)
            of: dict[str, Sums] = getattr(out[sharing.owner.branch], kind)
            for path in taken:
                inside = sharing.user.relative(path)
                if inside is not None:
                    taken[path] = of[sharing.owner.path(inside)]
    return out


def _copy(own: Statistics) -> Statistics:
    return replace(own, rows=dict(own.rows), parameters=dict(own.parameters))


def with_case(model: Model, name: str, names: Sequence[str]) -> Model:
    """Return the model of a branch with the vector that names its data set.

    Args:
        model: the model.
        name: the name of the branch.
        names: those of all branches.

    Raises:
        DPError: there are more branches than numbers in the vector.
    """
    number = sorted(names).index(name)

    def case(_: str, module: Module) -> Module | None:
        size = module.dim_case_embd if isinstance(module, Fitting) else 0
        if not size:
            return None
        if size < len(names):
            raise DPError(
                f"model.model_dict.{name}.fitting_net.dim_case_embd: {size}; there are {len(names)} branches, "
                "each of which needs a number of its own: set it to that or more"
            )
        assert isinstance(module, Fitting)
        return module.with_(case_embd=np.eye(size)[number].astype(module.case_embd.dtype))

    found: Model = visit(model, case)
    return found
