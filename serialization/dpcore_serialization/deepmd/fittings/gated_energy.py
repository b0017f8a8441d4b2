"""The fitting of the energy by gated layers."""

from typing import Any

from dpcore.descriptors import Descriptor
from dpcore.errors import DPError
from dpcore.fittings import GatedEnergyFitting
from dpcore.nn import Dense
from dpcore.nn.glu import GatedDense, GLUNet
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.fittings.energy import read_energy_fields, write_energy


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
        fields.skip("in_dim", "out_dim", "resnet_dt", "descriptor_dim", "dim_case_embd")
        fields.neutral("case_film_embd", False)
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
    return GLUNet(layers=(*gated, last))


def write_gated_energy(
    fitting: GatedEnergyFitting, type_map: list[str], descriptor: Descriptor
) -> dict[str, Any]:
    """Write the fitting of the energy by gated layers."""
    data = write_energy(fitting, type_map, descriptor)
    nets = data["nets"] | {"network_type": "sezm_fitting_network"}
    nets["networks"] = [_write_net(net, fitting, descriptor) for net in fitting.nets]
    return data | {"type": "sezm_ener", "case_film_embd": False, "nets": nets}


def _write_net(net: Any, fitting: GatedEnergyFitting, descriptor: Descriptor) -> dict[str, Any]:
    *gated, last = net.layers
    variables = {"output_layer.matrix": last.weight}
    if last.bias is not None:
        variables["output_layer.bias"] = last.bias
    for i, layer in enumerate(gated):
        start = f"hidden_layers.{i}.linear"
        variables |= {f"{start}.matrix": layer.weight, f"{start}.bias": layer.bias}
    return {
        "@class": "GLUFittingNet",
        "@version": 1,
        "in_dim": fitting.input_width(descriptor.width),
        "out_dim": 1,
        "neuron": list(fitting.neuron),
        "activation_function": fitting.activation_function,
        "resnet_dt": fitting.resnet_dt,
        "precision": fitting.precision,
        "bias_out": fitting.bias_out,
        "descriptor_dim": descriptor.width,
        "dim_case_embd": fitting.dim_case_embd,
        "case_film_embd": False,
        "@variables": variables,
    }
