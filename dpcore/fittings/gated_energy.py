"""The fitting network of the energy that DPA-4 comes with."""

import dataclasses as dc
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from dpcore.errors import DPError
from dpcore.fittings.energy import EnergyFitting
from dpcore.fittings.inputs import filled_widths, input_width
from dpcore.nn.film import Film, FilmNet
from dpcore.nn.glu import GLUNet
from dpcore.tree import setting


class GatedEnergyFitting(EnergyFitting, name="dpa4_ener", aliases=("sezm_ener",)):
    """The energy from gated linear units."""

    neuron: tuple[int, ...] = setting(
        (0,),
        doc="widths of the gated layers; 0 for 8/3 of the width of the input, rounded up to 32s",
        aliases=("n_neuron",),
    )
    activation_function: str = setting("silu", doc="activation of the gates")
    resnet_dt: bool = setting(False, doc="without effect: gated layers add no input")
    precision: str = setting("float32", doc="precision of the parameters")
    bias_out: bool = setting(False, doc="give the last layer a bias")
    case_film_embd: bool = setting(
        False, doc="let the vector that names the data set scale the layers, not enter them"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.case_film_embd and not self.dim_case_embd:
            raise DPError(
                "fitting_net.case_film_embd: no vector names the data set; set dim_case_embd to its length"
            )
        for i, net in enumerate(self.nets):
            if not isinstance(net, GLUNet):
                raise DPError(f"fitting.nets.{i}: is no network of gated layers")
            if isinstance(net, FilmNet) != self.case_film_embd:
                raise DPError(
                    f"fitting_net.case_film_embd: {self.case_film_embd}, which nets.{i} is not"
                )
            if (net.layers[-1].bias is not None) != self.bias_out:
                raise DPError(f"fitting_net.bias_out: {self.bias_out}, which nets.{i} is not")

    @classmethod
    def create(cls, rng: np.random.Generator, *, width: int, **settings: Any) -> Self:
        """Draw a fitting with random networks and neutral statistics (see :meth:`Fitting.create`)."""
        full: dict[str, Any] = {f.name: f.default for f in dc.fields(cls)} | settings
        settings["neuron"] = filled_widths(width - _apart(full), full)
        return super().create(rng, width=width, **settings)

    @classmethod
    def network(
        cls,
        rng: np.random.Generator,
        n_in: int,
        n_out: int,
        settings: Mapping[str, Any],
        trainable: tuple[bool, ...] | bool,
    ) -> GLUNet:
        """Draw a network of gated layers."""
        shared = {k: settings[k] for k in ("activation_function", "precision")}
        shared |= {"bias": settings["bias_out"], "trainable": trainable, "n_out": n_out}
        apart = _apart(settings)
        net = GLUNet.create(n_in - apart, settings["neuron"], rng, **shared)
        if not apart:
            return net
        about: dict[str, Any] = {"trainable": net.layers[0].trainable}
        about |= {k: settings[k] for k in ("activation_function", "precision")}
        width = n_in - input_width(0, settings)
        film = Film.create(rng, apart, width, (width, *settings["neuron"]), **about)
        return FilmNet(layers=net.layers, described=width, film=film)


def _apart(settings: Mapping[str, Any]) -> int:
    """Return the length of the vector of the data set where it does not enter the gated layers, or 0."""
    return int(settings["dim_case_embd"]) if settings["case_film_embd"] else 0
