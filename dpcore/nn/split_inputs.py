"""Dense layers of several inputs, each of which is multiplied where it is smallest."""

from typing import Any

from dpcore.nn.dense import Dense
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.xp import namespace, shape


def split_inputs(layer: Dense, *widths: Any) -> list[Any]:
    """Return the weights of inputs of some widths that a layer is given one after another."""
    return list(namespace(layer.weight).split(layer.weight, widths, axis=0))


def biased(layer: Dense, x: Any) -> Any:
    """Return numbers with the bias of a layer added, if it has one."""
    return x if layer.bias is None else x + layer.bias


def on_pairs(layer: Dense, around: Neighbourhood, nodes: Any, edges: Any) -> Any:
    """Return what a layer makes of ``[n_i, n_j, e_ij]``, ``(..., n_out)``.

    Args:
        layer: the layer.
        around: the pairs of atoms.
        nodes: features of the atoms n, ``(centre, n)``.
        edges: features of the pairs e, ``(..., m)``.
    """
    xp, width = namespace(nodes), shape(nodes)[1]
    of_centre, of_neighbour, of_edge = split_inputs(layer, width, width, shape(edges)[-1])
    centre = around.of_centres(biased(layer, xp.matmul(nodes, of_centre)))
    neighbour = around.of_neighbours(xp.matmul(nodes, of_neighbour))
    return layer.activated(xp.matmul(edges, of_edge) + neighbour + centre)


def on_angles(layer: Dense, angles: Any, nodes: Any, near: Any) -> Any:
    """Return what a layer makes of ``[a_ijk, n_i, e_ik, e_ij]``, ``(centre, k, j, n_out)``.

    Args:
        layer: the layer.
        angles: features of the angles a, ``(centre, k, j, p)``.
        nodes: features of the atoms n, ``(centre, n)``.
        near: features of the pairs e, ``(centre, near, m)``.
    """
    xp, width = namespace(nodes), shape(near)[2]
    sizes = (shape(angles)[3], shape(nodes)[1], width, width)
    of_angle, of_node, of_second, of_first = split_inputs(layer, *sizes)
    node = biased(layer, xp.matmul(nodes, of_node))[:, None, :]
    first = (xp.matmul(near, of_first) + node)[:, None, :, :]
    second = xp.matmul(near, of_second)[:, :, None, :]
    return layer.activated(xp.matmul(angles, of_angle) + second + first)
