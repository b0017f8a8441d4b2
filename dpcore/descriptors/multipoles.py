"""Moments of higher degrees: directions as polynomials rather than vectors."""

from typing import Any

from dpcore.descriptors.descriptor import Description
from dpcore.descriptors.moments import contracted
from dpcore.nn.so3.harmonics import solid_harmonics
from dpcore.xp import namespace, shape


def multipoles(displacement: Any, radial: Any, protection: float, lmax: int) -> Any:
    """Return ``w Y_l(d/r) / r`` of the neighbours for the degrees l from 2 to ``lmax``.

    Args:
        displacement: vectors d to the neighbours, ``(..., 3)``, Å; of non-zero length r.
        radial: ``w``, ``(..., 1)``.
        protection: added to the distance wherever it is divided by, Å.
        lmax: the highest degree.

    Returns:
        ``(..., (lmax + 1)² - 4)``.
    """
    xp = namespace(displacement)
    distance = xp.sqrt(xp.sum(displacement * displacement, axis=-1, keepdims=True))
    inverse = 1.0 / (distance + protection)
    harmonics = solid_harmonics(displacement * inverse, lmax)
    return radial * inverse * xp.concat(harmonics, axis=-1)


def contracted_by_degree(moments: Any, gain: Any, axis_neuron: int) -> Description:
    """Return the invariants of moments, those of each degree from 2 on weighted by the square of its gain.

    Args:
        moments: ``(centre, row, neuron)``: those of degree 0 and 1 in 4 rows, ``2 l + 1`` rows for each more.
        gain: gains of the degrees from 2 on, ``(degree,)``.
        axis_neuron: number of axis columns.
    """
    xp = namespace(moments)
    one = xp.ones_like(moments[:1, :4, :1])
    gains = [
        xp.broadcast_to(gain[None, i : i + 1, None], (1, 2 * i + 5, 1))
        for i in range(shape(gain)[0])
    ]
    features = contracted(moments * xp.concat([one, *gains], axis=1), axis_neuron).features
    return Description(features, contracted(moments[:, :4, :], axis_neuron).frames)
