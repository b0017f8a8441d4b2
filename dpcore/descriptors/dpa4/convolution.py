"""One exchange of messages."""

from typing import Any

from dpcore.descriptors.dpa4.attention import Attention, summed
from dpcore.descriptors.dpa4.cartesian import CartesianMessage, CartesianProduct
from dpcore.descriptors.dpa4.edges import Edges
from dpcore.descriptors.dpa4.messages import FrameMessage, RadialMessage
from dpcore.nn import Dense
from dpcore.nn.so3.focus import by_focus, joined
from dpcore.nn.so3.grid_net import GridNet
from dpcore.nn.so3.linear import DegreeLinear
from dpcore.nn.so3.rows import Rows
from dpcore.tree import Module, setting


class Convolution(Module, name="dpa4_convolution"):
    """Messages to all centres, from the features of their neighbours.

    Attributes:
        enter: maps the features to those of all foci.
        radial: maps the radial features alike, where there are more or fewer channels then.
        message: makes the messages.
        mix: mixes the foci of messages, or None.
        attention: adds the messages up; None for sums weighted by the envelope.
        product: multiplies the sums with the centre's features, which is added, or None.
        cartesian: multiplies them as matrices, or None.
        leave: maps the features of all foci back.
    """

    lmax: int = setting(doc="the highest degree")
    foci: int = setting(doc="number of foci")
    enter: DegreeLinear
    radial: Dense | None
    message: FrameMessage | RadialMessage | CartesianMessage
    mix: DegreeLinear | None
    attention: Attention | None
    product: GridNet | None
    cartesian: CartesianProduct | None
    leave: DegreeLinear

    def __call__(self, x: Any, edges: Edges, radial: Any) -> Any:
        """Return the sums of the messages, ``(atom, row, channel)``.

        Args:
            x: features of the atoms, ``(atom, row, channel)``.
            edges: the edges.
            radial: ``(edge, degree, channel)``.
        """
        rows = Rows.by_degree(self.lmax)
        x = joined(self.enter(by_focus(x, 1), rows))
        if self.radial is not None:
            radial = self.radial(radial)
        messages = self.message(x, edges, radial)
        if self.mix is not None:
            messages = messages.mapped(self.mix, 1)
        if self.attention is None:
            found = summed(messages, edges)
        else:
            found = self.attention(messages, x, edges, radial[:, 0, :])
        if self.product is not None:
            by_foci = by_focus(found, self.foci)
            found = joined(by_foci + self.product(by_foci, by_focus(x, self.foci), rows))
        if self.cartesian is not None:
            found = self.cartesian(found, x)
        return joined(self.leave(by_focus(found, 1), rows))
