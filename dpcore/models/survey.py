"""What models are made of, whatever they are."""

from dpcore.fittings import Fitting
from dpcore.models.model import Model
from dpcore.tree import inside, leaves


def models_in(model: Model) -> list[Model]:
    """Return the models that a model is made of directly; none for one with networks of its own."""
    below = [(path, child) for path, child in inside(model, Model) if path]
    inner = [path for path, _ in below]
    return [m for path, m in below if not any(path.startswith(f"{other}.") for other in inner)]


def fitting_of(model: Model) -> Fitting | None:
    """Return the fitting of a model that has one itself."""
    found = getattr(model, "fitting", None)
    return found if isinstance(found, Fitting) else None


def unselected_types(model: Model) -> frozenset[int]:
    """Return the types whose atoms do not have the property that a model predicts."""
    fitting = fitting_of(model)
    none = set(model.atom_exclude_types) | set(() if fitting is None else fitting.exclude_types)
    parts = [(m, {m.type_map[t] for t in unselected_types(m)}) for m in models_in(model)]
    for t, name in enumerate(model.type_map):
        # A type has the property if a part that knows it says so.
        if parts and not any(name in m.type_map and name not in lacking for m, lacking in parts):
            none.add(t)
    return frozenset(none)


def parameter_counts(model: Model) -> dict[str, dict[str, int]]:
    """Return the number of parameters, trainable and in all, of each part of a model and of the whole.

    A part is named by its path, its fitting as DeePMD-kit's users know it: ``fitting-net``.
    """
    total = {"trainable": 0, "total": 0}
    counts: dict[str, dict[str, int]] = {}
    owners = [path for path, child in inside(model, Model) if path]
    for path, leaf in leaves(model).items():
        if leaf.role != "param":
            continue
        count = counts.setdefault(_part(path, owners), {"trainable": 0, "total": 0})
        for counted in (count, total):
            counted["total"] += int(leaf.value.size)
            counted["trainable"] += int(leaf.value.size) if leaf.trainable else 0
    return counts | {"total": total}


def _part(path: str, owners: list[str]) -> str:
    """Return the name of the part that an array belongs to: a field of the innermost model."""
    owner = max((o for o in owners if path.startswith(f"{o}.")), key=len, default="")
    rest = path.removeprefix(f"{owner}.") if owner else path
    field = rest.partition(".")[0]
    name = "fitting-net" if field == "fitting" else field
    return f"{owner}.{name}" if owner else name
