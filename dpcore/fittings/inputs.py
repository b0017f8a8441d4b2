"""What the fitting networks are given: features, then the normalised parameters."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dpcore.batch import Batch, places
from dpcore.nn.precision import numpy_dtype
from dpcore.xp import as_type_of, namespace, shape

if TYPE_CHECKING:
    from dpcore.fittings.fitting import Fitting


def input_width(width: int, settings: Mapping[str, Any]) -> int:
    """Return how many numbers the networks are given.

    Args:
        width: number of features of the descriptor.
        settings: all settings of the fitting.
    """
    aparam = _entering_aparam(settings)
    return int(width + settings["numb_fparam"] + aparam + settings["dim_case_embd"])


def filled_widths(width: int, settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the widths of layers of which 0 stands for 8/3 of the width of the input, rounded up to 32s.

    Args:
        width: number of features of the descriptor.
        settings: all settings of the fitting.
    """
    wide = 32 * math.ceil(8.0 * input_width(width, settings) / 3.0 / 32.0)
    return tuple(n or wide for n in settings["neuron"])


def _entering_aparam(settings: Mapping[str, Any]) -> int:
    """Return how many atomic parameters enter the networks: none that mark atoms."""
    return 0 if settings.get("use_aparam_as_mask") else int(settings["numb_aparam"])


def neutral_statistics(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return statistics of the parameters that change nothing, and a vector of no data set."""
    dtype = numpy_dtype(settings["precision"])
    found: dict[str, Any] = {}
    for key in ("fparam", "aparam"):
        if n := settings[f"numb_{key}"]:
            found |= {f"{key}_avg": np.zeros(n, dtype), f"{key}_inv_std": np.ones(n, dtype)}
    if n := settings["dim_case_embd"]:
        found["case_embd"] = np.zeros(n, dtype)
    return found


def network_inputs(fitting: "Fitting", features: Any, batch: Batch) -> Any:
    """Return what the networks are given, ``(centre, n)``, in their precision.

    Args:
        fitting: the fitting.
        features: descriptors on the centre axis, ``(centre, width)``.
        batch: the batch.
    """
    weight = fitting.nets[0].layers[0].weight
    parts = [as_type_of(features, weight), *_parameters(fitting, batch, weight)]
    return namespace(features).concat(parts, axis=-1) if len(parts) > 1 else parts[0]


def _parameters(fitting: "Fitting", batch: Batch, like: Any) -> list[Any]:
    """Return the normalised parameters of the centres, ``(centre, n)`` each."""
    xp, parameters = namespace(like), []
    if fitting.numb_fparam:
        fparam = as_type_of(batch.fparam, like)
        fparam = (fparam - fitting.fparam_avg) * fitting.fparam_inv_std
        frame = xp.take(batch.frame, places(batch), axis=0)
        parameters.append(xp.take(fparam, frame, axis=0))
    if _entering_aparam(vars(fitting)):
        aparam = as_type_of(xp.take(batch.aparam, places(batch), axis=0), like)
        parameters.append((aparam - fitting.aparam_avg) * fitting.aparam_inv_std)
    if fitting.dim_case_embd:
        sizes = (shape(places(batch))[0], fitting.dim_case_embd)
        parameters.append(xp.broadcast_to(as_type_of(fitting.case_embd, like)[None, :], sizes))
    return parameters
