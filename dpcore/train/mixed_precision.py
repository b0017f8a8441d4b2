"""Networks whose products are computed in a lower precision than their parameters are kept in."""

from dataclasses import dataclass, fields
from typing import Any

from dpcore.batch import Batch
from dpcore.errors import DPError
from dpcore.models import FrozenModel, Model
from dpcore.nn.dense import Dense
from dpcore.nn.mlp import MLP
from dpcore.nn.net_by_kind import NetByKind
from dpcore.tree import Module, inside, leaves, setting, visit
from dpcore.xp import dtype_name, namespace

# Layers without a non-linear function give the result of a network: they are left as they are.
_PLAIN = {"none", "linear"}

# Smaller losses are rounding.
_LEAST = 1e-24


# Steps in a row that may overflow, and steps without one after which the factor is doubled.
_PATIENCE, _PERIOD = 10, 2000


@dataclass
class Headroom:
    """Makes room where derivatives overflow in a lower precision: they are multiplied by a smaller factor.

    Attributes:
        factor: on the derivatives while they are computed; they are divided by it afterwards.
    """

    factor: float = 1.0
    _overflows: int = 0
    _good: int = 0

    def follow(self, *, finite: bool) -> bool:
        """Halve the factor after a step that overflowed, and double it after many that did not.

        Returns:
            whether a run may go on: not if too many steps in a row overflow.
        """
        if finite:
            self._overflows, self._good = 0, self._good + 1
            if self._good % _PERIOD == 0:
                self.factor = min(2.0 * self.factor, 1.0)
            return True
        self._overflows, self._good = self._overflows + 1, 0
        self.factor *= 0.5
        return self._overflows < _PATIENCE


class LowerDense(Dense):
    """A dense layer that is computed in a lower precision than its input and its parameters have."""

    compute_prec: str = setting("float16", doc="precision of the product and the function")

    @classmethod
    def of(cls, layer: Dense, compute_prec: str) -> "LowerDense":
        """Return a layer in a lower precision."""
        values = {field.name: getattr(layer, field.name) for field in fields(Dense)}  # type: ignore[arg-type, unused-ignore]
        return cls(**values, compute_prec=compute_prec)

    def __call__(self, x: Any) -> Any:
        """Apply the layer to ``x``, ``(..., n_in)``, and return ``(..., n_out)`` in its precision."""
        y = namespace(x).astype(self._lower(x), dtype_name(x))
        return y + self.copies(x) if self.adds_input else y

    def _lower(self, x: Any) -> Any:
        xp, low = namespace(x), self.compute_prec
        given = (self.weight, self.bias, self.timestep)
        weight, bias, timestep = (None if a is None else xp.astype(a, low) for a in given)
        y = xp.matmul(xp.astype(x, low), weight)
        y = y if bias is None else y + bias
        return self.with_(timestep=timestep).activated(y)


def lowered(model: Model, compute_prec: str) -> Model:
    """Return a model whose networks compute in a lower precision."""

    def lower(_: str, module: Module) -> Module | None:
        if isinstance(module, FrozenModel):
            return module
        if type(module) is not Dense:
            return None
        plain = module.activation_function.lower() in _PLAIN
        return module if plain else LowerDense.of(module, compute_prec)

    found: Model = visit(model, lower)
    return found


def magnification(loss: Any, batch: Batch) -> Any:
    """Return a factor on a loss that brings derivatives by forces near 1, so that none are lost by rounding.

    Args:
        loss: the loss, a number.
        batch: the frames that it is of.
    """
    xp = namespace(loss)
    natoms, least = xp.astype(xp.sum(batch.natoms), dtype_name(loss)), _LEAST * xp.ones_like(loss)
    return xp.stop_gradient(natoms / xp.sqrt(xp.maximum(loss, least)))


def check_networks(model: Model) -> None:
    """Refuse models with other networks than dense layers one after another.

    Raises:
        DPError: there are such networks; their place is named.
    """
    nets = [f"{path}." for path, _ in inside(model, MLP)]
    others = [f"{path}." for path, _ in inside(model, NetByKind)]
    for path, leaf in leaves(model).items():
        if not leaf.trainable:
            continue
        if not any(map(path.startswith, nets)) or any(map(path.startswith, others)):
            raise DPError(
                f"training.mixed_precision: {path} belongs to no network of dense layers alone; leave "
                "mixed_precision out, or take a descriptor of se_e2_a, se_e2_r or se_e3"
            )


def in_precision(section: Any, precision: str) -> Any:
    """Return a complete section with another precision of all that has one."""
    if isinstance(section, list):
        return [in_precision(item, precision) for item in section]
    if not isinstance(section, dict):
        return section
    return {
        key: precision if key == "precision" else in_precision(value, precision)
        for key, value in section.items()
    }
