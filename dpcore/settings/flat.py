"""The oldest form of input files, without sections."""

from collections.abc import Mapping
from typing import Any

from dpcore.errors import DPError, suggest

_DESCRIPTOR = {
    "sel_a": "sel",
    "rcut": "rcut",
    "rcut_smth": "rcut_smth",
    "filter_neuron": "neuron",
    "axis_neuron": "axis_neuron",
    "n_axis_neuron": "axis_neuron",
    "filter_resnet_dt": "resnet_dt",
}
_FRAME = {"sel_a": "sel_a", "sel_r": "sel_r", "rcut": "rcut", "axis_rule": "axis_rule"}
# Of two names for one setting the later one counts.
_FITTING = {
    "n_neuron": "neuron",
    "fitting_neuron": "neuron",
    "resnet_dt": "resnet_dt",
    "fitting_resnet_dt": "resnet_dt",
}
_SCHEDULE = {key: key for key in ("start_lr", "decay_steps", "decay_rate")}
_LOSS = {
    f"{end}_pref_{kind}": f"{end}_pref_{kind}"
    for kind in ("e", "f", "v", "ae", "pf")
    for end in ("start", "limit")
}
_TRAINING = {
    key: key
    for key in (
        "systems",
        "set_prefix",
        "stop_batch",
        "batch_size",
        "disp_file",
        "disp_freq",
        "numb_test",
        "save_freq",
        "save_ckpt",
        "disp_training",
        "time_training",
        "profiling",
        "profiling_file",
    )
}
# What these said is now so for all, or an option of the command line.
_GONE = ("use_smooth", "seed", "type_map", "coord_norm", "type_fitting_net", "load_ckpt", "restart")
_SECTIONS = {"model", "training", "learning_rate", "loss", "nvnmd", "optimizer"}


def is_flat(settings: Mapping[str, Any]) -> bool:
    """Return whether settings have no sections, as those of the first version."""
    return "use_smooth" in settings and not _SECTIONS & settings.keys()


def sections(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without sections with those of the second version.

    Raises:
        DPError: an unknown key.
    """
    smooth = settings["use_smooth"]
    kept = _DESCRIPTOR if smooth else _FRAME
    known = {*kept, *_FITTING, *_SCHEDULE, *_LOSS, *_TRAINING, *_GONE}
    for key in settings:
        if key not in known and not key.startswith("_"):
            raise DPError(f"{key}: unknown key{suggest(key, known)}")
    seed = {"seed": settings["seed"]} if settings.get("seed") is not None else {}
    descriptor = _picked(settings, kept)
    if smooth:
        descriptor = {"type": "se_e2_a", **seed, **descriptor}
        if "rcut" in descriptor:
            descriptor.setdefault("rcut_smth", descriptor["rcut"])
    else:
        descriptor = {"type": "loc_frame", **descriptor}
    names = {"type_map": settings["type_map"]} if "type_map" in settings else {}
    fitting = {**seed, **_picked(settings, _FITTING)}
    return {
        "model": {**names, "descriptor": descriptor, "fitting_net": fitting},
        "learning_rate": {"type": "exp", **_picked(settings, _SCHEDULE)},
        "loss": _picked(settings, _LOSS),
        "training": {**seed, **_picked(settings, _TRAINING)},
    }


def _picked(settings: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    return {new: settings[old] for old, new in keys.items() if old in settings}
