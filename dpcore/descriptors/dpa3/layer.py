"""A layer of the repflow: updates of the features of atoms, edges and angles."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from dpcore.descriptors.dpa3.graph import Graph
from dpcore.nn.dense import Dense
from dpcore.nn.residual import Residual
from dpcore.nn.split_inputs import on_angles, on_pairs
from dpcore.nn.symmetrised import symmetrised
from dpcore.tree import Module
from dpcore.xp import namespace, shape


@dataclass(frozen=True)
class Features:
    """The features that layers update.

    Attributes:
        nodes: of the atoms, ``(centre, n_dim)``.
        edges: returns those of the edges, ``(..., e_dim)``; as those of angles they are computed when they
            are first asked for, since what the last layers make of them is seldom needed.
        angles: returns those of the angles, ``(centre, k, j, a_dim)``.
    """

    nodes: Any
    edges: Callable[[], Any]
    angles: Callable[[], Any]


class NodeUpdate(Module, name="repflow_node_update"):
    """Atoms are updated by themselves, by symmetrised moments, and by messages of their edges."""

    own: Dense
    symmetric: Dense
    message: Dense
    residual: Residual

    def __call__(self, nodes: Any, edges: Any, graph: Graph) -> Any:
        """Return the new features of the atoms."""
        xp, axis = namespace(nodes), graph.settings.sizes.axis_neuron
        moments = [graph.moments(edges), graph.moments(graph.edges.of_neighbours(nodes))]
        products = xp.concat([symmetrised(each, axis) for each in moments], axis=-1)
        received = graph.received(on_pairs(self.message, graph.edges, nodes, edges))
        heads = graph.settings.sizes.n_multi_edge_message
        messages = xp.split(received, [shape(nodes)[1]] * heads, axis=1)
        return self.residual(nodes, [self.own(nodes), self.symmetric(products), *messages])


class EdgeUpdate(Module, name="repflow_edge_update"):
    """Edges are updated by what is known of both atoms, and by the angles that they are part of.

    Attributes:
        angular: what an angle tells its first edge; None where there are no angles.
        received: what an edge makes of what it is told.
    """

    own: Dense
    angular: Dense | None = None
    received: Dense | None = None
    residual: Residual

    def of_pairs(self, nodes: Any, edges: Any, graph: Graph) -> Any:
        """Return the update by the atoms."""
        return on_pairs(self.own, graph.edges, nodes, edges)

    def of_angles(self, angles: Any, seen: tuple[Any, Any], edges: Any, graph: Graph) -> Any:
        """Return the update by the angles.

        Args:
            angles: features of the angles.
            seen: features of atoms and edges as angles see them.
            edges: features of the edges.
            graph: the edges.
        """
        assert graph.near is not None
        assert self.angular is not None
        assert self.received is not None
        told = graph.received_of_angles(on_angles(self.angular, angles, *seen))
        told = graph.near.on_edges(told)
        if not graph.settings.updates.smooth_edge_update:
            told = told + graph.without_angles * edges
        return self.received(told)


class AngleUpdate(Module, name="repflow_angle_update"):
    """Angles are updated by what is known of their atom and both edges.

    Attributes:
        node: shortens the features of atoms before angles see them; None where nothing is done.
        edge: shortens those of edges.
    """

    own: Dense
    residual: Residual
    node: Dense | None = None
    edge: Dense | None = None

    def seen(self, nodes: Any, edges: Any, graph: Graph) -> tuple[Any, Any]:
        """Return features of atoms and edges as angles see them, ``(centre, n)`` and ``(centre, near, m)``."""
        assert graph.near is not None
        compression, sizes = graph.settings.compression, graph.settings.sizes
        near = graph.near.of_edges(edges)
        if self.node is not None and self.edge is not None:
            return self.node(nodes), self.edge(near)
        if compression.a_compress_rate:
            n, e = compression.widths(sizes)
            return nodes[:, :n], near[:, :, :e]
        return nodes, near

    def of_angles(self, angles: Any, seen: tuple[Any, Any]) -> Any:
        """Return the update of the angles by what they see."""
        return on_angles(self.own, angles, *seen)


class RepflowLayer(Module, name="repflow_layer"):
    """A layer, whose updates see the features before it, or with ``sequential_update`` each other."""

    node: NodeUpdate
    edge: EdgeUpdate
    angle: AngleUpdate | None = None

    def __call__(self, features: Features, graph: Graph) -> Features:
        """Return the features after the layer."""
        if graph.settings.updates.sequential_update:
            return self._one_by_one(features, graph)
        nodes, edges = features.nodes, features.edges()

        @cache
        def seen() -> tuple[Any, Any]:
            assert self.angle is not None
            return self.angle.seen(nodes, edges, graph)

        def new_edges() -> Any:
            updates = [self.edge.of_pairs(nodes, edges, graph)]
            if self.angle is not None:
                updates.append(self.edge.of_angles(features.angles(), seen(), edges, graph))
            return self.edge.residual(edges, updates)

        def new_angles() -> Any:
            assert self.angle is not None
            angles = features.angles()
            return self.angle.residual(angles, [self.angle.of_angles(angles, seen())])

        return Features(self.node(nodes, edges, graph), cache(new_edges), cache(new_angles))

    def _one_by_one(self, features: Features, graph: Graph) -> Features:
        assert self.angle is not None
        nodes, edges, angles = features.nodes, features.edges(), features.angles()
        by_pairs, by_angles = (weight.value for weight in self.edge.residual.each)
        edges = edges + by_pairs * self.edge.of_pairs(nodes, edges, graph)
        seen = self.angle.seen(nodes, edges, graph)
        angles = self.angle.residual(angles, [self.angle.of_angles(angles, seen)])
        edges = edges + by_angles * self.edge.of_angles(angles, seen, edges, graph)
        return Features(self.node(nodes, edges, graph), lambda: edges, lambda: angles)
