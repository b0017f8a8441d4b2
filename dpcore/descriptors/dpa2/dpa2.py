"""The descriptor DPA-2."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, by_view, centre_types
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.descriptors.dpa2.checks import check_block, check_cutoffs, check_messages
from dpcore.descriptors.dpa2.common import Common
from dpcore.descriptors.dpa2.repformer import Repformer, Updated
from dpcore.descriptors.dpa2.repinit import RepinitSettings
from dpcore.descriptors.dpa2.settings import RepformerSettings
from dpcore.descriptors.mixed import MixedDescriptor, check_embedding
from dpcore.descriptors.normalised import Normalised, environment, inside
from dpcore.descriptors.se_atten import SeAtten
from dpcore.descriptors.se_e3_tebd import SeE3Tebd
from dpcore.errors import DPError
from dpcore.neighbours.selection import Selection
from dpcore.nn import Dense
from dpcore.nn.linear import linear
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.tree import buffer, setting
from dpcore.xp import as_type_of, namespace, shape


class DPA2(Descriptor, name="dpa2"):
    """The descriptor DPA-2: features of the surroundings, and layers of messages on a smaller cutoff.

    The surroundings of an atom are described as by ``se_atten`` without attention and, where the angles
    between neighbours are embedded as well, by ``se_e3_tebd``. That is, by a linear map, the first features
    of the atom, which :class:`Repformer` layers update by those of the neighbours and of the pairs.
    Source: Zhang et al., npj Comput. Mater. 10, 293 (2024).

    Attributes:
        type_embedding: gives the features of the types.
        pairs: describes the neighbours; made ready, it may be another descriptor of the same numbers.
        triples: describes pairs of neighbours, where they are described.
        messages: the layers of messages.
        bridge: makes the features of the surroundings as wide as those of the layers; None where they are.
        type_bridge: makes the features of the types as wide, where these are added.
        types: features of the types, ``(type, tebd_dim)``, where they were computed ahead.
    """

    repinit: RepinitSettings = setting(doc="how the surroundings are described at first")
    repformer: RepformerSettings = setting(doc="neighbours, sizes and layers of messages")
    concat_output_tebd: bool = setting(
        True, doc="append the features of the centre's type to the descriptor"
    )
    precision: str = setting("default", doc="precision of the parameters")
    smooth: bool = setting(True, doc="switch attention and sums off towards the cutoffs")
    exclude_types: tuple[tuple[int, int], ...] = setting((), doc="type pairs that do not interact")
    env_protection: float = setting(0.0, doc="added to distances that are divided by, Å")
    trainable: bool = setting(True, doc="whether the parameters are trained")
    add_tebd_to_repinit_out: bool = setting(
        False,
        doc="add the features of the centre's type to those of its surroundings",
        aliases=("repformer_add_type_ebd_to_seq",),
    )
    use_econf_tebd: bool = setting(False, doc="embed the electron configurations of the elements")
    use_tebd_bias: bool = setting(False, doc="give the type embedding a bias")
    type_embedding: TypeEmbedding
    pairs: Descriptor
    triples: SeE3Tebd | None = None
    messages: Repformer
    bridge: Dense | None = None
    type_bridge: Dense | None = None
    types: Any = buffer(default=None)

    def __post_init__(self) -> None:
        common = self.common
        check_cutoffs(self.repinit, self.repformer)
        check_embedding(self, self.type_embedding, "tebd_dim", self.tebd_dim)
        check_messages(self.messages, self.repformer, self.ntypes)
        if (self.triples is not None) != self.repinit.use_three_body:
            raise DPError(
                f"descriptor.repinit.use_three_body: {self.repinit.use_three_body}, but the part for it is "
                f"{'missing' if self.triples is None else 'there'}"
            )
        self._check_bridges()
        if self.types is None:
            check_block(self.pairs, self.repinit.pairs_told(common), "pairs")
        if self.triples is not None:
            check_block(self.triples, self.repinit.triples_told(common), "triples")

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        *,
        type_map: tuple[str, ...],
        **settings: Any,
    ) -> Self:
        """Draw a descriptor with random networks and neutral statistics."""
        repinit: RepinitSettings = settings["repinit"]
        repformer: RepformerSettings = settings["repformer"]
        common = Common.of(settings)
        blocks: dict[str, Any] = {
            "pairs": SeAtten.create(rng, type_map=type_map, **repinit.pairs_told(common))
        }
        if repinit.use_three_body:
            told = repinit.triples_told(common)
            blocks["triples"] = SeE3Tebd.create(rng, type_map=type_map, **told)
        flags = {k: settings.get(k, getattr(cls, k)) for k in ("use_econf_tebd", "use_tebd_bias")}
        embedding = TypeEmbedding.create(
            rng,
            type_map=type_map,
            neuron=(repinit.tebd_dim,),
            activation_function="none",
            **common.told,
            **flags,
        )
        first = sum(block.width for block in blocks.values())
        width, bridges = repformer.g1_dim, dict[str, Any]()
        if first != width:
            bridges["bridge"] = linear(rng, first, width, bias=False, **common.told)
        if settings.get("add_tebd_to_repinit_out", cls.add_tebd_to_repinit_out):
            dim = repinit.tebd_dim
            bridges["type_bridge"] = linear(rng, dim, width, bias=False, **common.told)
        return cls(
            type_embedding=embedding,
            messages=Repformer.create(rng, len(type_map), common, repformer),
            **{key: block.with_(type_embedding=None) for key, block in blocks.items()},
            **bridges,
            **settings,
        )

    @property
    def blocks(self) -> tuple[Descriptor, ...]:
        """What describes the surroundings."""
        return (self.pairs,) if self.triples is None else (self.pairs, self.triples)

    @property
    def common(self) -> Common:
        """What all parts are told."""
        return Common.of(vars(self))

    @property
    def tebd_dim(self) -> int:
        """Number of features of a type."""
        return self.repinit.tebd_dim

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return len(self.type_embedding.type_map)

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return self.repformer.g1_dim + (self.tebd_dim if self.concat_output_tebd else 0)

    @property
    def frame_width(self) -> int:
        """Number of vectors that rotate with the atoms."""
        return self.repformer.g2_dim

    @property
    def mixed_types(self) -> bool:
        """Whether types enter the features: they do."""
        return True

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours of all parts, which are the nearest of those of the first."""
        near, nsel = self.repformer.rcut, self.repformer.nsel
        first = [selection for block in self.blocks for selection in block.selections]
        return (*first, Selection.of_all_types(near, nsel, self.ntypes, messages=True))

    @property
    def normalised_rows(self) -> Mapping[str, Normalised]:
        """The environment rows of all parts, each from its own neighbours."""
        told, common = self.repformer, self.common
        messages = environment(
            self.selections[-1],
            told.nsel,
            told.rcut_smth,
            common.env_protection,
            excluded=common.excluded,
            with_mean=not told.set_davg_zero,
        )
        found = inside("pairs", self.pairs.normalised_rows)
        if self.triples is not None:
            found |= inside("triples", self.triples.normalised_rows)
        return found | {"messages": messages}

    @property
    def rows(self) -> int:
        """How many rows are held for an atom at most."""
        return self.repformer.rows + sum(block.rows for block in self.blocks)

    @property
    def reach(self) -> float:
        """Distance below which a neighbour is beyond the tables of a part, Å."""
        return max(block.reach for block in self.blocks)

    @property
    def is_fused(self) -> bool:
        """Whether fused kernels evaluate a part."""
        return any(block.is_fused for block in self.blocks)

    def untyped(self) -> Self:
        """Return the same descriptor in the form whose networks tables can take the place of."""
        types = self.of_types()
        return self._with_blocks(lambda b: b.with_(types=types).with_types_known())

    def prepared(self, *, tables: bool | None = False, kernels: Collection[str] = ()) -> Self:
        """Return the descriptor with everything computed that no input changes.

        Args:
            tables: replace networks of the first part by tables that agree with them to rounding, where
                there are such; None for those that kernels evaluate.
            kernels: embeddings of the first part to evaluate by fused kernels, of ``table`` and ``net``.
        """
        types = self.of_types()

        def ready(block: Any) -> Descriptor:
            found: Descriptor = block.with_(types=types).prepared(tables=tables, kernels=kernels)
            return found

        return self._with_blocks(ready, types=types)

    def of_types(self) -> Any:
        """Return the features of the types, ``(type, tebd_dim)``."""
        return self.type_embedding()[: self.ntypes, :] if self.types is None else self.types

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        found, own = self.updated(batch, displacement)
        features = found.atoms
        if self.concat_output_tebd:
            features = namespace(features).concat([features, own], axis=1)
        return Description(features, found.frames)

    def updated(self, batch: Batch, displacement: Any) -> tuple[Updated, Any]:
        """Return all features after the last layer, and those of the centres' types."""
        xp, types, blocks = namespace(displacement), self.of_types(), self.blocks
        *shares, last = by_view(batch, displacement, [1] * (len(blocks) + 1))
        told = (_told(block, types) for block in blocks)
        found = [block(*share).features for block, share in zip(told, shares, strict=True)]
        atoms = as_type_of(xp.concat(found, axis=1) if found[1:] else found[0], types)
        if self.bridge is not None:
            atoms = self.bridge(atoms)
        own = xp.take(types, centre_types(batch), axis=0)
        if self.type_bridge is not None:
            atoms = atoms + self.type_bridge(own)
        return self.messages(*last, atoms, self.repformer, self.common), own

    def _with_blocks(self, change: Callable[[Any], Any], **others: Any) -> Self:
        """Return the descriptor with other descriptions of the surroundings."""
        triples = None if self.triples is None else change(self.triples)
        return self.with_(pairs=change(self.pairs), triples=triples, **others)

    def _check_bridges(self) -> None:
        """Raise a one-line error for linear maps that do not fit the settings."""
        first, width = sum(block.width for block in self.blocks), self.repformer.g1_dim
        needed = {
            "bridge": None if first == width else (first, width),
            "type_bridge": (self.tebd_dim, width) if self.add_tebd_to_repinit_out else None,
        }
        for key, sizes in needed.items():
            layer = getattr(self, key)
            found = None if layer is None else shape(layer.weight)
            if found != sizes:
                raise DPError(f"descriptor.{key}: shape {found}; these settings need {sizes}")


def _told(block: Descriptor, types: Any) -> Descriptor:
    """Return a part that knows the features of the types."""
    known = not isinstance(block, MixedDescriptor) or block.types is not None
    return block if known else block.with_(types=types)
