"""The fitting of the energy by gated layers."""

from typing import Any

from dpcore.descriptors import Descriptor
from dpcore.errors import DPError
from dpcore.fittings import GatedEnergyFitting
from dpcore.nn import Dense
from dpcore.nn.film import Film, FilmNet
from dpcore.nn.glu import GatedDense, GLUNet
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.fittings.energy import read_energy_fields, write_energy

# What the logarithms of strengths are called.
_STRENGTHS = {"factor": "scale", "shift": "shift"}


def read_gated_energy(data: Any, path: str) -> GatedEnergyFitting:
    """Read the fitting of the energy by gated layers."""
    with Fields(data, path, version=4) as fields:
        flags = fields.take("trainable", True)
        flag = all(flags) if isinstance(flags, list) else flags is not False
        case_film_embd = fields.take("case_film_embd", False)
        nets = _read_nets(fields.take("nets"), f"{path}.nets", trainable=flag)
        values = read_energy_fields(fields, nets)
    values |= {"case_film_embd": case_film_embd, "bias_out": nets[0].layers[-1].bias is not None}
    check_kinds(GatedEnergyFitting, values, path)
    return GatedEnergyFitting(**values)


def _read_nets(data: Any, path: str, *, trainable: bool) -> tuple[GLUNet, ...]:
    with Fields(data, path) as fields:
        fields.skip("ndim", "ntypes", "network_type")
        networks = fields.take("networks")
    if not isinstance(networks, list) or not networks or None in networks:
        raise DPError(f"{path}.networks: a list of networks without gaps is expected")
    return tuple(
        _read_net(net, f"{path}.networks.{i}", trainable=trainable)
        for i, net in enumerate(networks)
    )


def _read_net(data: Any, path: str, *, trainable: bool) -> GLUNet:
    with Fields(data, path) as fields:
        fields.skip("in_dim", "out_dim", "resnet_dt", "dim_case_embd")
        film, width = fields.take("case_film_embd", False), fields.take("descriptor_dim", None)
        neuron, activation = fields.take("neuron"), fields.take("activation_function")
        told: dict[str, Any] = {"resnet": False, "trainable": trainable, "timestep": None}
        told["precision"], bias = fields.take("precision"), fields.take("bias_out")
        with Fields(fields.take("@variables"), f"{path}.@variables") as variables:
            gated = [
                GatedDense(
                    weight=variables.array(f"hidden_layers.{i}.linear.matrix", 2),
                    bias=variables.array(f"hidden_layers.{i}.linear.bias", 1),
                    activation_function=activation,
                    **told,
                )
                for i in range(len(neuron))
            ]
            last = Dense(
                weight=variables.array("output_layer.matrix", 2),
                bias=variables.array("output_layer.bias", 1) if bias else None,
                activation_function="none",
                **told,
            )
            told |= {"activation_function": activation}
            apart = _read_film(variables, 1 + len(gated), told) if film else None
    layers = (*gated, last)
    return (
        GLUNet(layers=layers)
        if apart is None
        else FilmNet(layers=layers, described=width, film=apart)
    )


def _read_film(variables: Fields, targets: int, told: dict[str, Any]) -> Film:
    """Read the factors and shifts of a number of vectors; ``told`` is what layers are told."""

    def layer(key: str, **other: Any) -> Dense:
        return Dense(weight=variables.array(f"case_film.{key}", 2), bias=None, **told | other)

    plain = {"activation_function": "none"}
    return Film(
        code=(layer("case_layer1.matrix"), layer("case_layer2.matrix", **plain)),
        targets=tuple(layer(f"projectors.{i}", **plain) for i in range(targets)),
        **{
            name: variables.array(f"case_film.adam_case_film_{key}_strength_log", 1)
            for name, key in _STRENGTHS.items()
        },
    )


def _write_film(film: Film) -> dict[str, Any]:
    written = {f"case_film.case_layer{i}.matrix": x.weight for i, x in enumerate(film.code, 1)}
    written |= {f"case_film.projectors.{i}": x.weight for i, x in enumerate(film.targets)}
    return written | {
        f"case_film.adam_case_film_{key}_strength_log": getattr(film, name)
        for name, key in _STRENGTHS.items()
    }


def write_gated_energy(
    fitting: GatedEnergyFitting, type_map: list[str], descriptor: Descriptor
) -> dict[str, Any]:
    """Write the fitting of the energy by gated layers."""
    data = write_energy(fitting, type_map, descriptor)
    nets = data["nets"] | {"network_type": "sezm_fitting_network"}
    nets["networks"] = [_write_net(net, fitting, descriptor) for net in fitting.nets]
    film = fitting.case_film_embd
    return data | {"type": "sezm_ener", "case_film_embd": film, "nets": nets}


def _write_net(net: Any, fitting: GatedEnergyFitting, descriptor: Descriptor) -> dict[str, Any]:
    *gated, last = net.layers
    variables = {"output_layer.matrix": last.weight}
    if last.bias is not None:
        variables["output_layer.bias"] = last.bias
    for i, layer in enumerate(gated):
        start = f"hidden_layers.{i}.linear"
        variables |= {f"{start}.matrix": layer.weight, f"{start}.bias": layer.bias}
    cases = 0
    if isinstance(net, FilmNet):
        variables, cases = variables | _write_film(net.film), fitting.dim_case_embd
    return {
        "@class": "GLUFittingNet",
        "@version": 1,
        "in_dim": fitting.input_width(descriptor.width) - cases,
        "out_dim": 1,
        "neuron": list(fitting.neuron),
        "activation_function": fitting.activation_function,
        "resnet_dt": fitting.resnet_dt,
        "precision": fitting.precision,
        "bias_out": fitting.bias_out,
        "descriptor_dim": descriptor.width,
        "dim_case_embd": fitting.dim_case_embd,
        "case_film_embd": fitting.case_film_embd,
        "@variables": variables,
    }
