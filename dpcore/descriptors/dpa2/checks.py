"""What the parts of a descriptor must agree in."""

from itertools import pairwise
from typing import Any

from dpcore.descriptors.dpa2.repformer import Layer, Repformer
from dpcore.descriptors.dpa2.repinit import RepinitSettings
from dpcore.descriptors.dpa2.settings import RepformerSettings
from dpcore.errors import DPError
from dpcore.tree import Module
from dpcore.xp import shape

_WHERE = "descriptor.repformer"


def check_block(block: Module, needed: dict[str, Any], name: str) -> None:
    """Raise a one-line error for a part that was made with other settings."""
    for key, value in needed.items():
        found = getattr(block, key, value)
        if found != value:
            raise DPError(f"descriptor.{name}.{key}: {found}; these settings need {value}")


def check_messages(part: Repformer, settings: RepformerSettings, ntypes: int) -> None:
    """Raise a one-line error for layers that do not fit their settings."""
    needed = (ntypes, settings.nsel, 4)
    for key in ("davg", "dstd"):
        found = shape(getattr(part, key))
        if found != needed:
            raise DPError(f"{_WHERE}.{key}: shape {found}; these settings need {needed}")
    if len(part.layers) != settings.nlayers:
        raise DPError(
            f"{_WHERE}.nlayers: {settings.nlayers}, but there are {len(part.layers)} layers"
        )
    for number, layer in enumerate(part.layers):
        where = f"{_WHERE}.layers.{number}"
        _check_parts(layer, settings, where, last=number == settings.nlayers - 1)
        _check_widths(layer, settings, where)


def _check_parts(layer: Layer, settings: RepformerSettings, where: str, *, last: bool) -> None:
    """Raise a one-line error for a layer without what the settings ask for, or with more."""
    atom, pair, pairs = settings.atom, settings.pair, layer.pairs
    parts = [
        ("nlayers", pairs is not None, not last),
        ("g1_out_mlp", layer.atoms.alone is not None, atom.g1_out_mlp),
        ("update_g1_has_conv", layer.atoms.convolution is not None, atom.update_g1_has_conv),
        ("update_g1_has_attn", layer.atoms.attention is not None, atom.update_g1_has_attn),
    ]
    if pairs is not None:
        attends = pairs.heads is not None and pairs.norm is not None
        turns = pairs.turned is not None and pairs.vector_residual is not None
        parts += [
            ("update_g2_has_g1g1", pairs.product is not None, pair.update_g2_has_g1g1),
            ("update_g2_has_attn", attends, pair.update_g2_has_attn),
            ("update_h2", turns, pair.update_h2),
            ("attn2_hidden", pairs.attention is not None, pair.attends),
        ]
    for key, there, needed in parts:
        if there != needed:
            raise DPError(
                f"{where}: the part for {key} is {'there' if there else 'missing'}, but the settings "
                f"ask for {'one' if needed else 'none'}"
            )


def _check_widths(layer: Layer, settings: RepformerSettings, where: str) -> None:
    """Raise a one-line error for networks of other widths than the settings ask for."""
    g1, g2, atom, pair = settings.g1_dim, settings.g2_dim, settings.atom, settings.pair
    atoms, pairs = layer.atoms, layer.pairs
    sizes = {"atoms.merged": (atoms.merged, (settings.merged_width, g1))}
    if atoms.convolution is not None:
        needed = (g2, g1) if atom.g1_out_conv else (g1, g2)
        sizes["atoms.convolution"] = (atoms.convolution, needed)
    if atoms.attention is not None:
        hidden = atom.attn1_hidden * atom.attn1_nhead
        sizes["atoms.attention.queries"] = (atoms.attention.queries, (g1, hidden))
        hidden += g1 * atom.attn1_nhead
        sizes["atoms.attention.keys_values"] = (atoms.attention.keys_values, (g1, hidden))
    if pairs is not None:
        sizes["pairs.alone"] = (pairs.alone, (g2, g2))
        if pairs.attention is not None:
            hidden = 2 * pair.attn2_hidden * pair.attn2_nhead
            sizes["pairs.attention"] = (pairs.attention.queries_keys, (g2, hidden))
    for key, (dense, needed) in sizes.items():
        found = shape(dense.weight)
        if found != needed:
            raise DPError(f"{where}.{key}: shape {found}; these settings need {needed}")


def check_cutoffs(repinit: RepinitSettings, repformer: RepformerSettings) -> None:
    """Raise a one-line error for lists of neighbours that are not parts of each other."""
    for key in ("rcut", "nsel"):
        inner, outer = getattr(repformer, key), getattr(repinit, key)
        if not inner < outer:
            raise DPError(f"{_WHERE}.{key}: {inner} must be below that of repinit, {outer}")
    if not repinit.use_three_body:
        return
    near, where = repinit.three_body_rcut, "descriptor.repinit.three_body"
    if near > repinit.rcut:
        raise DPError(f"{where}_rcut: {near} must not be above rcut = {repinit.rcut}")
    lists = sorted(
        [
            (repformer.rcut, repformer.nsel, f"{_WHERE}.nsel"),
            (near, repinit.three_body_sel, f"{where}_sel"),
            (repinit.rcut, repinit.nsel, "descriptor.repinit.nsel"),
        ]
    )
    for (near, fewer, _), (far, more, key) in pairwise(lists):
        if more < fewer:
            raise DPError(
                f"{key}: {more} neighbours within {far} Å are fewer than the {fewer} within {near} Å"
            )
