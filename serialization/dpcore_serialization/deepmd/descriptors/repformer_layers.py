"""A layer of messages of DPA-2."""

from typing import Any

from dpcore.descriptors.dpa2.atom_update import AtomUpdate
from dpcore.descriptors.dpa2.attention import AtomAttention, Heads, PairAttention
from dpcore.descriptors.dpa2.common import Common
from dpcore.descriptors.dpa2.pair_update import PairUpdate
from dpcore.descriptors.dpa2.repformer import Layer
from dpcore.descriptors.dpa2.settings import RepformerSettings
from dpcore.nn import Dense
from dpcore.nn.attention import SHIFT
from dpcore.nn.residual import Residual
from dpcore_serialization.deepmd.attention import read_norm, write_norm
from dpcore_serialization.deepmd.descriptors.sections import write_section
from dpcore_serialization.deepmd.fields import Fields
from dpcore_serialization.deepmd.networks import read_layer, write_layer

# Settings that layers do not repeat.
_ELSEWHERE: tuple[str, ...] = ("nsel", "nlayers", "direct_dist", "set_davg_zero")
_ELSEWHERE += ("update_residual", "update_residual_init")
# What the last layer has not.
_PAIRS = ("update_g2_has_g1g1", "update_g2_has_attn", "update_h2")


class LayerReader:
    """Reads layers of messages.

    Args:
        settings: the settings of the layers.
        common: what all parts of the descriptor are told.
    """

    def __init__(self, settings: RepformerSettings, common: Common) -> None:
        self.settings, self.pair, self.common = settings, settings.pair, common

    def layer(self, data: Any, path: str) -> Layer:
        """Read a layer."""
        with Fields(data, path, version=2) as fields:
            has_pairs = fields.take("update_chnnl_2")
            fields.skip("sel", "ntypes", "smooth", "precision", *write_section(self.settings))
            with Fields(fields.take("@variables", {}), f"{path}.@variables") as variables:
                weights = {
                    key: variables.take(f"{key}_residual", None) or [] for key in ("g1", "g2", "h2")
                }
            atoms = AtomUpdate(
                alone=self._optional(fields, "g1_self_mlp"),
                convolution=self._optional(fields, "proj_g1g2"),
                merged=self._dense(fields, "linear1"),
                attention=self._atom_attention(fields),
                residual=self._residual(weights["g1"]),
            )
            return Layer(atoms=atoms, pairs=self._pairs(fields, weights) if has_pairs else None)

    def _pairs(self, fields: Fields, weights: dict[str, Any]) -> PairUpdate:
        parts: dict[str, Any] = {}
        if self.pair.attends:
            parts["attention"] = self._pair_attention(fields)
        if self.pair.update_g2_has_attn:
            with self._inner(fields, "attn2_mh_apply") as inner:
                parts["heads"] = Heads(
                    values=self._dense(inner, "mapv"), merged=self._dense(inner, "head_map")
                )
            parts["norm"] = read_norm(fields.take("attn2_lm"), f"{fields.path}.attn2_lm")
        if self.pair.update_h2:
            with self._inner(fields, "attn2_ev_apply") as inner:
                parts["turned"] = self._dense(inner, "head_map")
            parts["vector_residual"] = self._residual(weights["h2"])
        return PairUpdate(
            alone=self._dense(fields, "linear2"),
            product=self._optional(fields, "proj_g1g1g2"),
            residual=self._residual(weights["g2"]),
            **parts,
        )

    def _atom_attention(self, fields: Fields) -> AtomAttention | None:
        data = fields.take("loc_attn", None)
        if data is None:
            return None
        with Fields(data, f"{fields.path}.loc_attn") as inner:
            inner.skip("input_dim", "hidden_dim", "smooth", "precision")
            inner.neutral("attnw_shift", SHIFT)
            return AtomAttention(
                heads=inner.take("head_num"),
                queries=self._dense(inner, "mapq"),
                keys_values=self._dense(inner, "mapkv"),
                merged=self._dense(inner, "head_map"),
            )

    def _pair_attention(self, fields: Fields) -> PairAttention:
        with self._inner(fields, "attn2g_map") as inner:
            inner.skip("hidden_dim", "smooth")
            inner.neutral("attnw_shift", SHIFT)
            return PairAttention(
                heads=self.pair.attn2_nhead,
                gate=inner.take("has_gate"),
                queries_keys=self._dense(inner, "mapqk"),
            )

    def _inner(self, fields: Fields, key: str) -> Fields:
        inner = Fields(fields.take(key), f"{fields.path}.{key}")
        inner.skip("input_dim", "head_num", "precision")
        return inner

    def _dense(self, fields: Fields, key: str) -> Dense:
        return read_layer(fields.take(key), f"{fields.path}.{key}", trainable=self.common.trainable)

    def _optional(self, fields: Fields, key: str) -> Dense | None:
        data = fields.take(key, None)
        if data is None:
            return None
        return read_layer(data, f"{fields.path}.{key}", trainable=self.common.trainable)

    def _residual(self, weights: list[Any]) -> Residual:
        trained = self.settings.style.update_style == "res_residual"
        return Residual.of(
            weights if trained else None, style=self.settings.style.update_style, **self.common.told
        )


class LayerWriter:
    """Writes layers of messages.

    Args:
        settings: the settings of the layers.
        common: what all parts of the descriptor are told.
        ntypes: number of atom types.
    """

    def __init__(self, settings: RepformerSettings, common: Common, ntypes: int) -> None:
        self.settings, self.common, self.ntypes = settings, common, ntypes

    def layer(self, layer: Layer) -> dict[str, Any]:
        """Write a layer."""
        atoms, pairs = layer.atoms, layer.pairs
        data = self._settings(has_pairs=pairs is not None)
        parts = {
            "linear1": atoms.merged,
            "g1_self_mlp": atoms.alone,
            "proj_g1g2": atoms.convolution,
        }
        residuals = {"g1": atoms.residual}
        if atoms.attention is not None:
            data["loc_attn"] = self._atom_attention(atoms.attention)
        if pairs is not None:
            parts |= {"linear2": pairs.alone, "proj_g1g1g2": pairs.product}
            residuals |= {"g2": pairs.residual}
            if pairs.vector_residual is not None:
                residuals["h2"] = pairs.vector_residual
            data |= self._pairs(pairs)
        data |= {key: write_layer(part) for key, part in parts.items() if part is not None}
        if self.settings.style.update_style == "res_residual":
            data["@variables"] = {
                f"{key}_residual": list(residuals[key].weights or ()) if key in residuals else []
                for key in ("g1", "g2", "h2")
            }
        return data

    def _settings(self, *, has_pairs: bool) -> dict[str, Any]:
        settings = self.settings
        repeated = write_section(settings)
        for key in _ELSEWHERE:
            del repeated[key]
        for key in () if has_pairs else _PAIRS:
            repeated[key] = False
        return {
            "@class": "RepformerLayer",
            "@version": 2,
            **repeated,
            "sel": [settings.nsel],
            "ntypes": self.ntypes,
            "update_chnnl_2": has_pairs,
            "smooth": self.common.smooth,
            "precision": self.common.precision,
            "ln_eps": settings.eps,
        }

    def _pairs(self, pairs: PairUpdate) -> dict[str, Any]:
        """Write what is made of attention among the neighbours."""
        data: dict[str, Any] = {}
        if pairs.attention is not None:
            data["attn2g_map"] = self._head("Atten2Map", pairs.attention.heads) | {
                "hidden_dim": self.settings.pair.attn2_hidden,
                "has_gate": pairs.attention.gate,
                "smooth": self.common.smooth,
                "attnw_shift": SHIFT,
                "mapqk": write_layer(pairs.attention.queries_keys),
            }
        heads = self.settings.pair.attn2_nhead
        if pairs.heads is not None and pairs.norm is not None:
            data["attn2_mh_apply"] = self._head("Atten2MultiHeadApply", heads) | {
                "mapv": write_layer(pairs.heads.values),
                "head_map": write_layer(pairs.heads.merged),
            }
            data["attn2_lm"] = write_norm(pairs.norm)
        if pairs.turned is not None:
            data["attn2_ev_apply"] = self._head("Atten2EquiVarApply", heads) | {
                "head_map": write_layer(pairs.turned)
            }
        return data

    def _atom_attention(self, attention: AtomAttention) -> dict[str, Any]:
        return self._head("LocalAtten", attention.heads) | {
            "input_dim": self.settings.g1_dim,
            "hidden_dim": self.settings.atom.attn1_hidden,
            "smooth": self.common.smooth,
            "attnw_shift": SHIFT,
            "mapq": write_layer(attention.queries),
            "mapkv": write_layer(attention.keys_values),
            "head_map": write_layer(attention.merged),
        }

    def _head(self, kind: str, heads: int) -> dict[str, Any]:
        """Write what all tables of attention begin with."""
        return {
            "@class": kind,
            "@version": 1,
            "input_dim": self.settings.g2_dim,
            "head_num": heads,
            "precision": self.common.precision,
        }
