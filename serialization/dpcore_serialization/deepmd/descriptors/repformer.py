"""The layers of messages of DPA-2."""

from collections.abc import Mapping
from typing import Any

from dpcore.descriptors import DPA2
from dpcore.descriptors.dpa2.common import Common
from dpcore.descriptors.dpa2.repformer import Repformer
from dpcore.descriptors.dpa2.settings import RepformerSettings
from dpcore.errors import DPError
from dpcore_serialization.deepmd.descriptors.local import read_statistics, write_rows
from dpcore_serialization.deepmd.descriptors.repformer_layers import LayerReader, LayerWriter
from dpcore_serialization.deepmd.descriptors.sections import read_section, write_section
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.networks import read_layer, write_layer


def read_repformer(
    fields: Fields, common: Common, older: Mapping[str, Any]
) -> tuple[RepformerSettings, Repformer]:
    """Read the layers of messages and their settings.

    Args:
        fields: the table of the descriptor.
        common: what all parts of the descriptor are told.
        older: settings as older files have them.
    """
    given = {**fields.take("repformer_args"), **older}
    settings = read_section(given, f"{fields.path}.repformer_args", RepformerSettings)
    path = f"{fields.path}.repformers_variable"
    with Fields(fields.take("repformers_variable"), path) as variables:
        variables.skip("env_mat")
        statistics = read_statistics(variables)
        pair_net = read_layer(
            variables.take("g2_embd"), f"{path}.g2_embd", trainable=common.trainable
        )
        layers = variables.take("repformer_layers")
    if not isinstance(layers, list):
        raise DPError(f"{path}.repformer_layers: a list of layers is expected")
    reader = LayerReader(settings, common)
    found = [reader.layer(data, f"{path}.repformer_layers.{i}") for i, data in enumerate(layers)]
    return settings, Repformer(pair_net=pair_net, layers=tuple(found), **statistics)


def write_repformer(descriptor: DPA2) -> dict[str, Any]:
    """Write the layers of messages: their settings, and their networks and statistics."""
    part, settings = descriptor.messages, descriptor.repformer
    writer = LayerWriter(settings, descriptor.common, descriptor.ntypes)
    cutoff = (settings.rcut, settings.rcut_smth, descriptor.env_protection)
    variables = {
        "g2_embd": write_layer(part.pair_net),
        "repformer_layers": [writer.layer(layer) for layer in part.layers],
        **write_rows(part, *cutoff),
    }
    return {"repformer_args": write_section(settings), "repformers_variable": variables}
