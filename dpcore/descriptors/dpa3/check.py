"""Whether the parts of a DPA-3 descriptor fit its settings."""

from typing import TYPE_CHECKING

from dpcore.descriptors.dpa3.draw import check_layer
from dpcore.descriptors.mixed import check_embedding
from dpcore.errors import DPError
from dpcore.nn.activation import activation
from dpcore.nn.charge_spin import check_state
from dpcore.nn.precision import numpy_dtype
from dpcore.xp import shape

if TYPE_CHECKING:
    from dpcore.descriptors.dpa3.dpa3 import DPA3


def check(descriptor: "DPA3") -> None:
    """Raise a one-line error for settings that have no meaning, or parts that do not fit them."""
    _check_settings(descriptor)
    _check_embeddings(descriptor)
    sizes, told = descriptor.repflow.sizes, descriptor.repflow
    if len(descriptor.layers) != sizes.nlayers:
        raise DPError(
            f"descriptor.layers: {len(descriptor.layers)} layers for nlayers = {sizes.nlayers}"
        )
    for number, layer in enumerate(descriptor.layers):
        check_layer(layer, told, f"descriptor.layers.{number}")
    needed = (descriptor.ntypes, told.neighbours.e_sel, 4)
    for key in ("davg", "dstd"):
        found = shape(getattr(descriptor, key))
        if found != needed:
            raise DPError(f"descriptor.{key}: shape {found}; these settings need {needed}")


def _check_settings(descriptor: "DPA3") -> None:
    activation(descriptor.activation_function)
    numpy_dtype(descriptor.precision)
    if descriptor.env_protection < 0:
        raise DPError(
            f"descriptor.env_protection: {descriptor.env_protection} must not be negative"
        )
    for pair in descriptor.exclude_types:
        if not all(0 <= t < descriptor.ntypes for t in pair):
            raise DPError(
                f"descriptor.exclude_types: {list(pair)} names a type outside 0 … "
                f"{descriptor.ntypes - 1}"
            )
    if descriptor.default_chg_spin is not None:
        check_state(descriptor.default_chg_spin, "descriptor.default_chg_spin")


def _check_embeddings(descriptor: "DPA3") -> None:
    sizes = descriptor.repflow.sizes
    check_embedding(descriptor, descriptor.type_embedding, "repflow.n_dim", sizes.n_dim)
    charge_spin = descriptor.charge_spin
    if (charge_spin is not None) != descriptor.add_chg_spin_ebd:
        raise DPError(
            f"descriptor.add_chg_spin_ebd: {descriptor.add_chg_spin_ebd}, but there is "
            f"{'no' if charge_spin is None else 'an'} embedding of charge and spin"
        )
    if charge_spin is not None and charge_spin.charge.width != sizes.n_dim:
        raise DPError(
            f"descriptor.charge_spin: {charge_spin.charge.width} features; n_dim is {sizes.n_dim}"
        )
    for key, width in (("edge_embedding", sizes.e_dim), ("angle_embedding", sizes.a_dim)):
        found = shape(getattr(descriptor, key).weight)
        if found != (1, width):
            raise DPError(f"descriptor.{key}: shape {found}; these settings need {(1, width)}")
