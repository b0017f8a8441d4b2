"""The descriptor DPA-4."""

from collections.abc import Collection
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.conditions import Conditions
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.descriptors.dpa4.block import Blocks
from dpcore.descriptors.dpa4.draw import Drawing
from dpcore.descriptors.dpa4.edges import Edges, edges_of
from dpcore.descriptors.dpa4.feed import FeedForward
from dpcore.descriptors.dpa4.groups import check_edges, check_rest, grouped
from dpcore.descriptors.dpa4.radial import RadialBasis, RadialNet
from dpcore.descriptors.dpa4.seed import EnvironmentSeed, TypeTable, directed
from dpcore.descriptors.dpa4.settings import (
    DegreeSettings,
    EdgeSettings,
    FeedSettings,
    MessageSettings,
    NetworkSettings,
    error,
    spread,
)
from dpcore.descriptors.dpa4.spins import SpinFeatures
from dpcore.descriptors.neighbourhood import neighbourhood
from dpcore.neighbours.selection import ALL, Selection
from dpcore.nn.charge_spin import ChargeSpinEmbedding, check_state
from dpcore.nn.so3.rotations import Rotations, edge_frames
from dpcore.nn.so3.rows import Rows
from dpcore.tree import setting
from dpcore.xp import as_type_of, namespace, shape

# Added to the sums of the squared weights of neighbours.
FLOOR = 0.25


class DPA4(Descriptor, name="dpa4", aliases=("DPA4", "SeZM", "sezm")):
    """Features that rotate with the atoms, and messages in the frames of edges.

    An atom has features of several degrees of the spherical harmonics. Messages are rotated to the frame
    of their edge, where maps that only mix the orders m and -m keep what follows independent of the frame.
    Source: arXiv:2606.02419, after eSCN (Passaro and Zitnick, arXiv:2302.03655) and EquiformerV2 (Liao et
    al., arXiv:2306.12059).

    Attributes:
        type_embedding: gives the first features of the atoms.
        charge_spin: gives features of charge and spin multiplicity, which are added; None where not.
        spin: gives features of the spins of the atoms, or None.
        seed: changes these by the surroundings, or None.
        basis: functions of the distance.
        radial: makes the radial features.
        rotations: gives the rotations to the edges' frames.
        layers: the blocks.
        readout: the networks after these.
    """

    edges: EdgeSettings
    degrees: DegreeSettings
    messages: MessageSettings
    feeds: FeedSettings
    networks: NetworkSettings
    trainable: bool = setting(True, doc="whether the parameters are trained")
    add_chg_spin_ebd: bool = setting(
        False, doc="embed the charge and the spin multiplicity of a frame"
    )
    default_chg_spin: tuple[float, ...] | None = setting(
        None, doc="charge and spin multiplicity of frames that come without"
    )
    use_spin: tuple[bool, ...] | None = setting(
        None, doc="whether atoms of each type have spins; told by spin.use_spin of the model"
    )
    type_embedding: TypeTable
    charge_spin: ChargeSpinEmbedding | None = None
    spin: SpinFeatures | None = None
    seed: EnvironmentSeed | None
    basis: RadialBasis
    radial: RadialNet
    rotations: Rotations
    layers: Blocks
    readout: tuple[FeedForward, ...]

    @classmethod
    def create(
        cls, rng: np.random.Generator, *, type_map: tuple[str, ...], **settings: Any
    ) -> Self:
        """Draw a descriptor with random networks."""
        groups, rest = grouped(settings)
        check_rest(cls, rest)
        edges, degrees, networks = groups["edges"], groups["degrees"], groups["networks"]
        precision, drawing = networks.precision, Drawing(rng, **groups)
        channels, top = degrees.channels, degrees.degrees[0] + degrees.extra_node_l
        told = {"activation_function": networks.activation_function, "precision": precision}
        widths = (edges.n_radial, *(n or channels for n in edges.radial_mlp), (top + 1) * channels)
        seed, use_spin = None, rest.get("use_spin")
        if edges.use_env_seed:
            about = {"norm": edges.edge_norm, "eps": networks.eps, "bias": networks.mlp_bias}
            about["spin"] = use_spin is not None
            seed = EnvironmentSeed.create(rng, type_map, edges.n_radial, channels, **about, **told)
        charge_spin = None
        if rest.get("add_chg_spin_ebd"):
            charge_spin = ChargeSpinEmbedding.create(rng, channels, trainable=True, **told)
        spin = None
        if use_spin is not None:
            spin = SpinFeatures.create(rng, use_spin, len(type_map), channels, **told)
        layers = drawing.blocks()
        return cls(
            **groups,
            **rest,
            charge_spin=charge_spin,
            spin=spin,
            type_embedding=TypeTable.create(rng, type_map, channels, precision),
            seed=seed,
            basis=RadialBasis.create(
                edges.rcut, edges.basis_type, edges.n_radial, edges.env_exp[0], precision
            ),
            radial=RadialNet.create(rng, widths, norm=edges.edge_norm, **told),
            rotations=Rotations.create(degrees.degrees[0], max(degrees.orders)),
            layers=layers,
            readout=drawing.readout(layers.lmax),
        )

    def __post_init__(self) -> None:
        check_edges(self.edges, self.ntypes)
        if self.default_chg_spin is not None:
            check_state(self.default_chg_spin, "descriptor.default_chg_spin")
        if (self.charge_spin is not None) != self.add_chg_spin_ebd:
            raise error(
                "add_chg_spin_ebd", f"{self.add_chg_spin_ebd}, which the embeddings are not"
            )
        if self.use_spin != (None if self.spin is None else self.spin.use_spin):
            raise error("use_spin", f"{self.use_spin}, which the features of spins are not")
        if self.spin is not None and self.degrees.degrees[0] + self.degrees.extra_node_l == 0:
            raise error("use_spin", "needs features of degree 1: lmax + extra_node_l of 1 or more")

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return len(self.type_embedding.type_map)

    @property
    def width(self) -> int:
        """Number of features of an atom."""
        return self.degrees.channels

    @property
    def mixed_types(self) -> bool:
        """Whether types enter the features: they do."""
        return True

    @property
    def conditions(self) -> Conditions:
        """Charge and spin multiplicity, where they are embedded."""
        embedded = self.charge_spin is not None
        return Conditions(
            charge_spin=embedded,
            default_chg_spin=self.default_chg_spin,
            spin=self.use_spin is not None,
        )

    @property
    def magnetic(self) -> tuple[bool, ...]:
        """Whether atoms of each type have spins; none where spins do not enter."""
        return self.use_spin or ()

    @property
    def virials_by_path(self) -> bool:
        """Whether virials of atoms follow the paths of messages: DeePMD-kit books them on edges."""
        return False

    @property
    def selections(self) -> tuple[Selection, ...]:
        """All neighbours within the cutoff, as a list."""
        flags = {"listed": True, "messages": True}
        return (Selection.of_all_types(self.edges.rcut, ALL, self.ntypes, **flags),)

    @property
    def rows(self) -> int:
        """How many rows of networks an atom needs at most: those of all of ``sel`` edges."""
        edges: int = sum(spread(self.edges.sel, 1))
        return edges * Rows.by_order(self.degrees.degrees[0], self.degrees.orders[0]).number

    def prepared(
        self,
        *,
        tables: bool | None = False,  # noqa: ARG002
        kernels: Collection[str] = (),  # noqa: ARG002
    ) -> Self:
        """Return the descriptor with the features of charges and multiplicities computed."""
        if self.charge_spin is None:
            return self
        return self.with_(charge_spin=self.charge_spin.prepared())

    def __call__(self, batch: Batch, displacement: Any) -> Description:
        """Describe the centres of a batch."""
        return Description(self.features(batch, displacement)[:, 0, :])

    def features(self, batch: Batch, displacement: Any, turn: Any = None) -> Any:
        """Return the features of the centres of degree 0, ``(centre, 1, channel)``.

        Args:
            batch: the batch.
            displacement: vectors to the neighbours, ``(edge, 3)``, Å.
            turn: angles to turn the frames of the edges by, ``(edge, 1)``, which changes nothing.
        """
        displacement = as_type_of(displacement, self.basis.places)
        cutoff, excluded = self.edges.rcut, self.edges.excluded
        pairs = neighbourhood(batch, displacement, 0.0, cutoff, excluded)
        edges = edges_of(
            pairs,
            self.basis,
            self.edges.env_exp[1],
            lambda unit, turn: self.rotations(edge_frames(unit, turn)),
            eps=self.networks.eps,
            floor=FLOOR,
            zone=self.edges.zone,
            turn=turn,
        )
        x, radial = self._first(batch, edges)
        x = self.layers(x, edges, radial)
        return self._last(x)

    def _first(self, batch: Batch, edges: Edges) -> tuple[Any, Any]:
        """Return the first features, ``(atom, row, channel)``, and radial ones, ``(edge, degree, channel)``."""
        xp, channels = namespace(edges.unit), self.degrees.channels
        types = self._told(
            batch, xp.take(self.type_embedding.weight, edges.pairs.centre_types, axis=0)
        )
        spins = None
        if self.spin is not None:
            spins = self.spin.spins(batch)
            types = types + self.spin.scalars(spins, edges.pairs.centre_types)
        top = self.degrees.degrees[0] + self.degrees.extra_node_l
        radial = xp.reshape(self.radial(edges.basis), (-1, top + 1, channels))
        radial = radial * edges.envelope[:, :, None]
        scalars = types if self.seed is None else self.seed(types, edges, spins)
        parts = [scalars[:, None, :]]
        if top > 0 and self.seed is None:
            parts.append(xp.zeros((shape(scalars)[0], (top + 1) ** 2 - 1, channels), like=scalars))
        elif top > 0:
            parts.append(directed(radial, edges, top))
        if self.spin is not None:
            parts[1:] = self._with_spins(parts[1], spins, edges)
        pair = edges.pairs.of_neighbours(types) + edges.pairs.of_centres(types)
        return xp.concat(parts, axis=1), radial + pair[:, None, :]

    def _with_spins(self, x: Any, spins: Any, edges: Edges) -> list[Any]:
        """Return the features of degree 1 with the spins added, and those above."""
        assert self.spin is not None
        added = self.spin.vectors(spins, edges)
        if self.seed is not None:
            added = added + self.spin.told(spins, edges)
        return [x[:, :3, :] + added, x[:, 3:, :]]

    def _told(self, batch: Batch, types: Any) -> Any:
        """Return features of the types, ``(atom, channel)``, with those of charge and spin added."""
        if self.charge_spin is None:
            return types
        return types + self.charge_spin.of_centres(batch)

    def _last(self, x: Any) -> Any:
        """Return the features of degree 0 after the last networks, ``(atom, 1, channel)``."""
        lmax, (*networks, last) = self.readout[0].lmax, self.readout
        x = x[:, : (lmax + 1) ** 2, :]
        for network in networks:
            x = x + network(x)
        return x[:, :1, :] + last.scalars(x)
