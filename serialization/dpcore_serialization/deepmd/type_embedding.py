"""The vectors of the atom types."""

from collections.abc import Sequence
from typing import Any

from dpcore.nn.electrons import configuration_vector
from dpcore.nn.type_embedding import TypeEmbedding, configurations
from dpcore.tree import check_kinds
from dpcore_serialization.deepmd.fields import Fields, as_list, as_tuple
from dpcore_serialization.deepmd.networks import read_network, write_network

_SETTINGS = ("neuron", "activation_function", "resnet_dt", "precision", "trainable")


def read_type_embedding(
    data: Any, path: str, type_map: Sequence[str] | None = None
) -> TypeEmbedding:
    """Read a type embedding.

    Args:
        data: its table.
        path: where it is in the file.
        type_map: names of the types, for files that do not repeat them.
    """
    with Fields(data, path, version=2) as fields:
        number = fields.take("ntypes")
        # The features of no type are always there.
        fields.skip("padding")
        names = fields.take("type_map", None) or type_map or map(str, range(number))
        values = {key: as_tuple(fields.take(key)) for key in _SETTINGS}
        values |= {
            "use_econf_tebd": fields.take("use_econf_tebd", False),
            "use_tebd_bias": fields.take("use_tebd_bias", True),
            "type_map": tuple(names),
        }
        net = read_network(
            fields.take("embedding"), f"{path}.embedding", [bool(values["trainable"])]
        )
    check_kinds(TypeEmbedding, values, path)
    vectors = None
    if values["use_econf_tebd"]:
        vectors = configurations(values["type_map"], values["precision"])
    return TypeEmbedding(net=net, configurations=vectors, **values)


def write_type_embedding(embedding: TypeEmbedding) -> dict[str, Any]:
    """Write a type embedding."""
    settings = {key: as_list(getattr(embedding, key)) for key in _SETTINGS}
    repeated = {key: settings[key] for key in _SETTINGS if key != "trainable"}
    ntypes = len(embedding.type_map)
    n_in = len(configuration_vector("H")) if embedding.use_econf_tebd else ntypes
    return {
        "@class": "TypeEmbedNet",
        "@version": 2,
        "ntypes": ntypes,
        **settings,
        "padding": True,
        "use_econf_tebd": embedding.use_econf_tebd,
        "use_tebd_bias": embedding.use_tebd_bias,
        "type_map": list(embedding.type_map),
        "embedding": write_network(
            embedding.net,
            "embedding_network",
            {"in_dim": n_in, "bias": embedding.use_tebd_bias} | repeated,
        ),
    }
