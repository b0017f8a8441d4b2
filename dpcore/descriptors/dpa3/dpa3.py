"""The descriptor DPA-3: messages on the graph of atoms and on that of their bonds."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, centre_types
from dpcore.conditions import Conditions
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.descriptors.dpa3.check import check
from dpcore.descriptors.dpa3.draw import draw_layer
from dpcore.descriptors.dpa3.graph import Graph, cosines, environment_rows, graph_of, in_places
from dpcore.descriptors.dpa3.layer import Features, RepflowLayer
from dpcore.descriptors.dpa3.settings import RepflowSettings
from dpcore.descriptors.mixed_rows import normalised_rows
from dpcore.descriptors.normalised import Normalised, environment
from dpcore.neighbours.selection import Selection
from dpcore.nn.activation import activation
from dpcore.nn.charge_spin import ChargeSpinEmbedding
from dpcore.nn.dense import Dense
from dpcore.nn.linear import linear
from dpcore.nn.nearest import Nearest, as_type, ranks
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.nn.precision import numpy_dtype
from dpcore.nn.type_embedding import TypeEmbedding
from dpcore.tree import buffer, setting
from dpcore.xp import as_type_of, namespace, shape


class DPA3(Descriptor, name="dpa3"):
    """The features of the atoms after some layers of messages (Zhang et al., arXiv:2506.01686).

    Atoms begin as features of their types, edges as what a layer makes of their environment rows, angles
    as what another makes of their cosines.

    Attributes:
        type_embedding: gives the features of the types.
        types: these, ``(type, n_dim)``, where they were computed ahead.
        charge_spin: gives features of charge and spin multiplicity, which are added; None where not.
        edge_embedding: gives the first features of edges.
        angle_embedding: gives those of angles.
        layers: the layers.
        davg: mean of the environment rows, ``(type, e_sel, 4)``.
        dstd: their deviation.
    """

    repflow: RepflowSettings = setting(doc="neighbours, sizes and layers")
    concat_output_tebd: bool = setting(
        False, doc="append the first features of the atom to the descriptor"
    )
    activation_function: str = setting("silu", doc="activation of the layers")
    precision: str = setting("default", doc="precision of the parameters")
    exclude_types: tuple[tuple[int, int], ...] = setting((), doc="type pairs that do not interact")
    env_protection: float = setting(0.0, doc="added to distances that are divided by, Å")
    trainable: bool = setting(True, doc="whether the parameters are trained")
    use_econf_tebd: bool = setting(False, doc="embed the electron configurations of the elements")
    use_tebd_bias: bool = setting(False, doc="give the type embedding a bias")
    use_loc_mapping: bool = setting(True, doc="without effect: atoms are never numbered twice")
    add_chg_spin_ebd: bool = setting(
        False, doc="embed the charge and the spin multiplicity of a frame"
    )
    default_chg_spin: tuple[float, ...] | None = setting(
        None, doc="charge and spin multiplicity of frames that come without"
    )
    type_embedding: TypeEmbedding
    types: Any = buffer(default=None)
    charge_spin: ChargeSpinEmbedding | None = None
    edge_embedding: Dense
    angle_embedding: Dense
    layers: tuple[RepflowLayer, ...]
    davg: Any = buffer()
    dstd: Any = buffer()

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def create(
        cls, rng: np.random.Generator, *, type_map: tuple[str, ...], **settings: Any
    ) -> Self:
        """Draw a descriptor with random networks and neutral statistics."""
        told, get = settings["repflow"], {"activation_function", "precision", "trainable"}
        common = {key: settings.get(key, getattr(cls, key)) for key in get}
        plain = {key: common[key] for key in ("precision", "trainable")}
        sizes, dtype = told.sizes, numpy_dtype(common["precision"])
        embedding = TypeEmbedding.create(
            rng,
            type_map=type_map,
            neuron=(sizes.n_dim,),
            activation_function="none",
            **{k: settings.get(k, False) for k in ("use_econf_tebd", "use_tebd_bias")},
            **plain,
        )
        charge_spin = None
        if settings.get("add_chg_spin_ebd"):
            charge_spin = ChargeSpinEmbedding.create(rng, sizes.n_dim, **common)
        edges = common if not told.edge_init_use_dist else {**common, "activation_function": "none"}
        rows = np.ones((len(type_map), told.neighbours.e_sel, 4), dtype)
        return cls(
            type_embedding=embedding,
            charge_spin=charge_spin,
            edge_embedding=linear(rng, 1, sizes.e_dim, **edges),
            angle_embedding=linear(rng, 1, sizes.a_dim, bias=False, **plain),
            layers=tuple(draw_layer(rng, told, **common) for _ in range(sizes.nlayers)),
            davg=0.0 * rows,
            dstd=(told.deviation * rows).astype(dtype),
            **settings,
        )

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return len(self.type_embedding.type_map)

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return self.repflow.sizes.n_dim * (2 if self.concat_output_tebd else 1)

    @property
    def frame_width(self) -> int:
        """Number of vectors that rotate with the atoms."""
        return self.repflow.sizes.e_dim

    @property
    def mixed_types(self) -> bool:
        """Whether types enter the features: they do."""
        return True

    @property
    def conditions(self) -> Conditions:
        """Charge and spin multiplicity, where they are embedded."""
        embedded = self.charge_spin is not None
        return Conditions(charge_spin=embedded, default_chg_spin=self.default_chg_spin)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The neighbours that edges are made of and, where there are angles, those of angles."""
        asked, ntypes = self.repflow.neighbours, self.ntypes
        listed = asked.use_dynamic_sel
        edges = Selection.of_all_types(
            asked.e_rcut, asked.e_sel, ntypes, messages=True, listed=listed
        )
        if not self.repflow.updates.update_angle:
            return (edges,)
        return edges, Selection.of_all_types(asked.a_rcut, asked.a_sel, ntypes, messages=True)

    @property
    def normalised_rows(self) -> Mapping[str, Normalised]:
        """The environment rows of the edges, unless their deviation is fixed; their mean stays zero.

        As in DeePMD-kit they have the usual switch function, whatever ``use_exp_switch`` is.
        """
        if self.repflow.skip_stat or self.repflow.fix_stat_std:
            return {}
        asked, edges = self.repflow.neighbours, self.selections[0]
        rows = environment(
            edges,
            asked.e_sel,
            asked.e_rcut_smth,
            self.env_protection,
            excluded=self.excluded,
            with_mean=False,
        )
        return {"": rows}

    @property
    def rows(self) -> int:
        """How many rows are held for an atom at most: its edges, and its angles."""
        asked = self.repflow.neighbours
        return asked.e_sel + (asked.a_sel**2 if self.repflow.updates.update_angle else 0)

    @property
    def excluded(self) -> frozenset[tuple[int, int]]:
        """Pairs of types that do not interact, in both orders."""
        return frozenset((a, b) for pair in self.exclude_types for a, b in (pair, pair[::-1]))

    def prepared(
        self,
        *,
        tables: bool | None = False,  # noqa: ARG002
        kernels: Collection[str] = (),  # noqa: ARG002
    ) -> Self:
        """Return the descriptor with the features of types, charges and multiplicities computed."""
        known = None if self.charge_spin is None else self.charge_spin.prepared()
        return self.with_(types=self.of_types(), charge_spin=known)

    def of_types(self) -> Any:
        """Return the features of the types, ``(type, n_dim)``."""
        return self.type_embedding()[: self.ntypes, :] if self.types is None else self.types

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
        """
        edges, bent = graph_of(batch, displacement, self.repflow, self.excluded)
        rows = self._normalised(batch, edges)
        given = edges.length if self.repflow.edge_init_use_dist else rows[..., :1]
        first = self._of_atoms(batch)
        near = None if bent is None else bent.as_type(self.davg)
        known = as_type(edges, self.davg)
        vectors = as_type_of(rows[..., 1:], self.davg) * known.switch
        graph = Graph(self.repflow, known, vectors, near)
        features = Features(
            activation(self.activation_function)(first),
            lambda: self.edge_embedding(as_type_of(given, self.davg)),
            cache(lambda: self._of_angles(bent)),
        )
        for layer in self.layers:
            features = layer(features, graph)
        xp, found, last = namespace(first), features.nodes, features
        if self.concat_output_tebd:
            found = xp.concat([found, first], axis=1)
        return Description(found, lambda: xp.permute_dims(graph.moments(last.edges()), (0, 2, 1)))

    def _of_atoms(self, batch: Batch) -> Any:
        """Return the first features of the atoms before their activation, ``(centre, n_dim)``."""
        xp, types = namespace(batch.types), self.of_types()
        found = xp.take(types, centre_types(batch), axis=0)
        if self.charge_spin is None:
            return found
        return found + self.charge_spin.of_centres(batch)

    def _of_angles(self, near: Nearest | None) -> Any:
        """Return the first features of the angles, ``(centre, k, j, a_dim)``."""
        assert near is not None
        return self.angle_embedding(as_type_of(cosines(near.rows), self.davg))

    def _normalised(self, batch: Batch, edges: Neighbourhood) -> Any:
        """Return the environment rows of the edges less their mean over their deviation, ``(..., 4)``."""
        rows = environment_rows(edges, self.env_protection)
        if not edges.is_list:
            return normalised_rows(batch, rows, self.davg, self.dstd)
        place = ranks(batch.views[0].blocks[0][0], shape(edges.centre_types)[0])
        types = namespace(rows).take(edges.centre_types, edges.centre, axis=0)
        mean, deviation = (
            as_type_of(in_places(x, types, place), rows) for x in (self.davg, self.dstd)
        )
        return (rows - mean) / deviation
