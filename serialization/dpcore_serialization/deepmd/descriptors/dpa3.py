"""The descriptor DPA-3."""

from collections.abc import Callable
from typing import Any

from dpcore.descriptors import DPA3
from dpcore.descriptors.dpa3.layer import AngleUpdate, EdgeUpdate, NodeUpdate, RepflowLayer
from dpcore.descriptors.dpa3.settings import RepflowSettings
from dpcore.errors import DPError
from dpcore.nn.charge_spin import ChargeSpinEmbedding
from dpcore.nn.dense import Dense
from dpcore.nn.residual import Residual
from dpcore_serialization.deepmd.descriptors.local import checked
from dpcore_serialization.deepmd.descriptors.sections import read_section, write_section
from dpcore_serialization.deepmd.fields import Fields, as_list, as_tuple, pairs
from dpcore_serialization.deepmd.networks import read_layer, write_layer
from dpcore_serialization.deepmd.type_embedding import read_type_embedding, write_type_embedding

_SETTINGS = ("activation_function", "precision")
# What older files may lack.
_OPTIONAL = {
    "concat_output_tebd": False,
    "env_protection": 0.0,
    "trainable": True,
    "use_loc_mapping": True,
    "add_chg_spin_ebd": False,
    "default_chg_spin": None,
}
_TYPES = ("use_econf_tebd", "use_tebd_bias")

# The names of the layers and residual weights of each update in DeePMD-kit's tables.
_UPDATES: dict[str, tuple[Callable[..., Any], str, dict[str, str]]] = {
    "node": (
        NodeUpdate,
        "n_residual",
        {
            "own": "node_self_mlp",
            "symmetric": "node_sym_linear",
            "message": "node_edge_linear",
        },
    ),
    "edge": (
        EdgeUpdate,
        "e_residual",
        {
            "own": "edge_self_linear",
            "angular": "edge_angle_linear1",
            "received": "edge_angle_linear2",
        },
    ),
    "angle": (
        AngleUpdate,
        "a_residual",
        {
            "own": "angle_self_linear",
            "node": "a_compress_n_linear",
            "edge": "a_compress_e_linear",
        },
    ),
}
_WITHOUT_ACTIVATION = ("a_compress_n_linear", "a_compress_e_linear")


def read_dpa3(data: Any, path: str) -> DPA3:
    """Read a DPA-3 descriptor."""
    with Fields(data, path, version=2) as fields:
        fields.skip("type", "ntypes", *_TYPES)
        values = {key: fields.take(key) for key in _SETTINGS}
        values |= {key: as_tuple(fields.take(key, value)) for key, value in _OPTIONAL.items()}
        values["exclude_types"] = pairs(fields.take("exclude_types", ()))
        embedding = read_type_embedding(
            fields.take("type_embedding"), f"{path}.type_embedding", fields.take("type_map", None)
        )
        values |= {key: getattr(embedding, key) for key in _TYPES}
        values["type_embedding"] = embedding
        told = read_section(fields.take("repflow_args"), f"{path}.repflow_args", RepflowSettings)
        values["charge_spin"] = _read_charge_spin(fields, values)
        with Fields(fields.take("repflow_variable"), f"{path}.repflow_variable") as variable:
            values |= _read_repflow(variable, told, values)
    return DPA3(**checked(DPA3, values | {"repflow": told}, path))


def _read_charge_spin(fields: Fields, values: dict[str, Any]) -> ChargeSpinEmbedding | None:
    keys = ("chg_embedding", "spin_embedding", "mix_cs_mlp")
    found = {key: fields.take(key, None) for key in keys}
    if not values["add_chg_spin_ebd"]:
        return None
    tables = (read_type_embedding(found[key], f"{fields.path}.{key}") for key in keys[:2])
    mix = _read_active(found[keys[2]], f"{fields.path}.{keys[2]}", values)
    return ChargeSpinEmbedding(mix=mix, **dict(zip(("charge", "spin"), tables, strict=True)))


def _read_active(data: Any, path: str, values: dict[str, Any]) -> Dense:
    """Read a layer whose activation is applied to what it gives."""
    layer = read_layer(data, path, trainable=values["trainable"] is not False)
    if layer.activation_function.lower() not in {"none", "linear"}:
        raise DPError(
            f"{path}.activation_function: {layer.activation_function!r} is not supported by this "
            "version"
        )
    return layer.with_(activation_function=values["activation_function"])


def _read_repflow(fields: Fields, told: RepflowSettings, values: dict[str, Any]) -> dict[str, Any]:
    with Fields(fields.take("env_mat", {}), f"{fields.path}.env_mat") as repeated:
        repeated.skip("rcut", "rcut_smth", "protection", "use_exp_switch")
    with Fields(fields.take("@variables"), f"{fields.path}.@variables") as variables:
        found = {key: variables.array(key, 3) for key in ("davg", "dstd")}
    where, trainable = f"{fields.path}.edge_embd", values["trainable"] is not False
    edge = fields.take("edge_embd")
    if told.edge_init_use_dist:
        found["edge_embedding"] = read_layer(edge, where, trainable=trainable)
    else:
        found["edge_embedding"] = _read_active(edge, where, values)
    where = f"{fields.path}.angle_embd"
    found["angle_embedding"] = read_layer(fields.take("angle_embd"), where, trainable=trainable)
    layers, where = fields.take("repflow_layers"), f"{fields.path}.repflow_layers"
    if not isinstance(layers, list):
        raise DPError(f"{where}: a list of layers is expected")
    read = (_read_layer(layer, f"{where}.{i}", told, values) for i, layer in enumerate(layers))
    return found | {"layers": tuple(read)}


def _read_layer(
    data: Any, path: str, told: RepflowSettings, values: dict[str, Any]
) -> RepflowLayer:
    updates: dict[str, Any] = {}
    style, plain = told.updates.update_style, {k: values[k] for k in ("precision", "trainable")}
    with Fields(data, path, version=2) as fields:
        fields.skip("ntypes", *_SETTINGS, *write_section(told))
        with Fields(fields.take("@variables", {}), f"{path}.@variables") as variables:
            for part, (kind, key, names) in _UPDATES.items():
                weights = variables.take(key, None) or fields.take(key, None) or None
                weights = weights if style == "res_residual" else None
                residual = Residual.of(weights, style=style, **plain)
                layers: dict[str, Any] = {}
                for name, of in names.items():
                    layer = fields.take(of, None)
                    if layer is None:
                        continue
                    if of in _WITHOUT_ACTIVATION:
                        trainable = values["trainable"] is not False
                        layers[name] = read_layer(layer, f"{path}.{of}", trainable=trainable)
                    else:
                        layers[name] = _read_active(layer, f"{path}.{of}", values)
                if layers:
                    updates[part] = kind(residual=residual, **layers)
    return RepflowLayer(**updates)


def write_dpa3(descriptor: DPA3, type_map: list[str]) -> dict[str, Any]:
    """Write a DPA-3 descriptor."""
    told = write_section(descriptor.repflow)
    if not told["skip_stat"]:
        del told["skip_stat"]
    keys = (*_SETTINGS, *_OPTIONAL, *_TYPES, "exclude_types")
    data = {
        "@class": "Descriptor",
        "type": "dpa3",
        "@version": 2,
        "ntypes": descriptor.ntypes,
        "repflow_args": told,
        **{key: as_list(getattr(descriptor, key)) for key in keys},
        "type_map": type_map,
        "type_embedding": write_type_embedding(descriptor.type_embedding),
        "repflow_variable": {
            "edge_embd": _write_active(descriptor.edge_embedding),
            "angle_embd": write_layer(descriptor.angle_embedding),
            "repflow_layers": [_write_layer(layer, descriptor) for layer in descriptor.layers],
            "env_mat": {
                "rcut": told["e_rcut"],
                "rcut_smth": told["e_rcut_smth"],
                "protection": 0.0,
                "use_exp_switch": False,
            },
            "@variables": {"davg": descriptor.davg, "dstd": descriptor.dstd},
        },
    }
    known = descriptor.charge_spin
    if known is not None:
        data |= {
            "chg_embedding": write_type_embedding(known.charge) | {"type_map": None},
            "spin_embedding": write_type_embedding(known.spin) | {"type_map": None},
            "mix_cs_mlp": _write_active(known.mix),
        }
    return data


def _write_active(layer: Dense) -> dict[str, Any]:
    return write_layer(layer.with_(activation_function="none"))


def _write_layer(layer: RepflowLayer, descriptor: DPA3) -> dict[str, Any]:
    told = write_section(descriptor.repflow)
    for key in ("nlayers", "use_exp_switch", "edge_init_use_dist", "fix_stat_std", "skip_stat"):
        del told[key]
    told["e_sel"] = [told["e_sel"]]
    data = {"@class": "RepFlowLayer", "@version": 2, "ntypes": descriptor.ntypes, **told}
    data |= {key: getattr(descriptor, key) for key in _SETTINGS}
    residuals: dict[str, Any] = {}
    for part, (_, key, names) in _UPDATES.items():
        update = getattr(layer, part)
        residuals[key] = []
        if update is None:
            continue
        residuals[key] = list(update.residual.weights or ())
        for name, of in names.items():
            if getattr(update, name) is not None:
                data[of] = _write_active(getattr(update, name))
    if descriptor.repflow.updates.update_style == "res_residual":
        data["@variables"] = residuals
    return data
