"""A short input file of training, and others that differ from it in a few keys."""

import copy

BASE = {
    "model": {
        "type_map": ["O", "H"],
        "descriptor": {"type": "se_e2_a", "sel": [4, 8]},
        "fitting_net": {},
    },
    "learning_rate": {"start_lr": 1e-3},
    "training": {"training_data": {"systems": ["a"]}, "numb_steps": 10},
}
GONE = object()


def changed(changes, base=BASE):
    """Return an input with other values of keys, given by their paths."""
    out = copy.deepcopy(base)
    for path, value in changes.items():
        *above, last = path.split(".")
        holder = out
        for key in above:
            holder = holder.setdefault(key, {})
        if value is GONE:
            del holder[last]
        else:
            holder[last] = value
    return out
