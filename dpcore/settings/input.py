"""The definition of a whole input file of training."""

from typing import TYPE_CHECKING, Any

from dpcore.settings import model_arguments
from dpcore.settings.arguments import arguments
from dpcore.settings.checks import Refused
from dpcore.settings.contradictions import NVNMD

if TYPE_CHECKING:
    from dargs import Argument, Variant

_DENS = "denoising of coordinates is not supported; train energies and forces with the loss 'ener'"
_POPULATION = "fits of the populations of orbitals are not supported"
_SHARED = (
    "sections that branches name in place of a type_map, descriptor or fitting_net, to share it"
)
_BRANCHES = (
    "the branches by name, each a model section; keys beside this one are those of all branches"
)
_CHANCES = "how often a step is of a branch; by default as often as it has systems"
_EPOCHS = "how often the frames of each branch are seen, by expectation, in place of numb_steps"


def input_definition(*, several: bool = False) -> "Argument":
    """Return the definition of an input file.

    Args:
        several: of a multi-task model.
    """
    from dargs import Argument

    sections = [
        _models() if several else model_arguments(named=False),
        *_schedules(several=several),
        _optimizer(),
        _loss("loss_dict" if several else "loss", several=several),
        _training(several=several),
        _validating(),
        Argument("nvnmd", dict, optional=True, doc="refused", extra_check=Refused(NVNMD)),
    ]
    return Argument("input", dict, sections)


def _models() -> "Argument":
    from dargs import Argument

    branches = model_arguments("model_dict", named=False)
    branches.set_repeat(True)
    branches.set_dtype(dict)
    branches.doc = _BRANCHES
    shared = Argument("shared_dict", dict, optional=True, default={}, doc=_SHARED)
    return Argument("model", dict, [branches, shared], doc="what is trained")


def _schedules(*, several: bool) -> list["Argument"]:
    from dargs import Argument

    doc = "the learning rate of each step"
    single = Argument("learning_rate", dict, [], [_schedule()], doc=doc)
    if not several:
        return [single]
    single.optional = True
    each = Argument("learning_rate_dict", dict, [], [_schedule()], repeat=True, optional=True)
    each.set_dtype(dict)
    each.doc = "the learning rate of each branch by its name, in place of learning_rate"
    return [single, each]


def _schedule() -> "Variant":
    from dpcore.train.schedules import SCHEDULES

    return _variant(SCHEDULES, "exp")


def _optimizer() -> "Argument":
    from dargs import Argument

    from dpcore.train.optimizers import OPTIMIZERS

    doc = "how the parameters change"
    return Argument(
        "optimizer", dict, [], [_variant(OPTIMIZERS, "Adam")], optional=True, default={}, doc=doc
    )


def _loss(name: str, *, several: bool) -> "Argument":
    from dargs import Argument

    from dpcore.train.losses import LOSSES

    refused = {"dens": _DENS, "population": _POPULATION}
    variant = _variant(LOSSES, "ener", refused)
    doc = "what is made small"
    if not several:
        return Argument(name, dict, [], [variant], optional=True, default={}, doc=doc)
    found = Argument(name, dict, [], [variant], repeat=True, doc=f"{doc}, by branch")
    found.set_dtype(dict)
    return found


def _variant(kinds: Any, default: str, refused: dict[str, str] | None = None) -> "Variant":
    """Return the definition of the keys that belong to a type."""
    from dargs import Argument, Variant

    choices = [
        Argument(name, dict, arguments(cls), alias=list(cls.aliases), doc=_summary(cls))
        for name, cls in kinds.items()
    ]
    choices += [
        Argument(name, dict, extra_check=Refused(reason), doc="refused")
        for name, reason in (refused or {}).items()
    ]
    return Variant("type", choices, optional=True, default_tag=default)


def _summary(cls: type) -> str:
    return (cls.__doc__ or "").partition("\n")[0]


def _training(*, several: bool) -> "Argument":
    from dargs import Argument

    from dpcore.train.settings import DataSettings, TrainingSettings

    data, common = arguments(DataSettings), arguments(TrainingSettings)
    doc = "data, steps and files"
    if not several:
        return Argument("training", dict, [*data, *common], doc=doc)
    branches = Argument(
        "data_dict", dict, data, repeat=True, doc="the data of each branch by its name"
    )
    branches.set_dtype(dict)
    own = [
        branches,
        Argument("model_prob", dict, optional=True, default={}, doc=_CHANCES),
        Argument("num_epoch_dict", dict, optional=True, default={}, doc=_EPOCHS),
    ]
    return Argument(
        "training", dict, [*own, *(c for c in common if c.name != "numb_epoch")], doc=doc
    )


def _validating() -> "Argument":
    from dargs import Argument

    from dpcore.train.settings import ValidatingSettings

    doc = "evaluation of all validation data while training goes on"
    entries = arguments(ValidatingSettings)
    return Argument("validating", dict, entries, optional=True, default={}, doc=doc)
