"""What all fitting networks share."""

import dataclasses as dc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from dpcore.batch import Batch, by_group
from dpcore.descriptors.descriptor import Description, Descriptor
from dpcore.fittings.by_type import of_types, zeroed
from dpcore.fittings.check import check_fitting, check_nets, check_settings, check_trainable
from dpcore.fittings.inputs import input_width, network_inputs, neutral_statistics
from dpcore.nn import MLP
from dpcore.output import Output
from dpcore.tree import Module, buffer, setting
from dpcore.xp import as_type_of, namespace, shape

# The fittings that an input file may name, and their other names.
FITTINGS: dict[str, type["Fitting"]] = {}


class Fitting(Module):
    """Base of the networks that turn descriptors and parameters into a property of each atom.

    There is one network for each atom type, or a single one where the descriptor mixes types. What the
    networks give, a bias of the atom's type added, is the property, unless a subclass makes more of it.
    """

    aliases: ClassVar[tuple[str, ...]] = ()
    # Settings that say how many numbers there are of what a subclass fits.
    sizes: ClassVar[tuple[str, ...]] = ()
    # Whether what is predicted is scaled by the deviation of the labels.
    in_standard_units: ClassVar[bool] = False

    neuron: tuple[int, ...] = setting(
        (120, 120, 120), doc="widths of the hidden layers", aliases=("n_neuron",)
    )
    activation_function: str = setting("tanh", doc="activation of the hidden layers")
    resnet_dt: bool = setting(True, doc="scale residual layers by a trained timestep")
    precision: str = setting("default", doc="precision of the parameters")
    numb_fparam: int = setting(0, doc="number of frame parameters")
    numb_aparam: int = setting(0, doc="number of atomic parameters")
    dim_case_embd: int = setting(0, doc="length of the vector that names the data set")
    default_fparam: tuple[float, ...] | None = setting(
        None, doc="frame parameters of frames that come without"
    )
    exclude_types: tuple[int, ...] = setting((), doc="types whose network output is dropped")
    rcond: float | None = setting(None, doc="condition number of the fit of the output bias")
    nets: tuple[MLP, ...]
    bias_atom_e: Any = buffer(exact=True)
    fparam_avg: Any = buffer(default=None)
    fparam_inv_std: Any = buffer(default=None)
    aparam_avg: Any = buffer(default=None)
    aparam_inv_std: Any = buffer(default=None)
    case_embd: Any = buffer(default=None)

    def __init_subclass__(
        cls, name: str = "", aliases: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init_subclass__(name=name, **kwargs)
        if name:
            cls.aliases = aliases
            FITTINGS[name] = cls

    def __post_init__(self) -> None:
        check_fitting(self)

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        *,
        ntypes: int,
        width: int,
        frame_width: int = 0,
        mixed_types: bool = False,
        trainable: tuple[bool, ...] | bool = True,
        **settings: Any,
    ) -> Self:
        """Draw a fitting with random networks and neutral statistics.

        Args:
            rng: source of the random numbers.
            ntypes: number of atom types.
            width: number of features of the descriptor.
            frame_width: number of rotating vectors of the descriptor.
            mixed_types: one network serves all types.
            trainable: one flag, or one for each layer, output layer last.
            settings: the settings of the class.
        """
        full: dict[str, Any] = {f.name: f.default for f in dc.fields(cls)} | settings
        check_settings(cls, full)
        check_trainable(trainable, len(full["neuron"]) + 1)
        n_in, n_out = input_width(width, full), cls.outputs(frame_width, full)
        nets = tuple(
            cls.network(rng, n_in, n_out, full, trainable)
            for _ in range(1 if mixed_types else ntypes)
        )
        buffers = neutral_statistics(full) | cls.statistics(ntypes, full)
        buffers["bias_atom_e"] = np.zeros((ntypes, n_out))
        return cls(nets=nets, **settings | buffers)

    @classmethod
    def network(
        cls,
        rng: np.random.Generator,
        n_in: int,
        n_out: int,
        settings: Mapping[str, Any],
        trainable: tuple[bool, ...] | bool,
    ) -> MLP:
        """Draw a network.

        Args:
            rng: source of the random numbers.
            n_in: width of its input.
            n_out: width of its output.
            settings: all settings of the class.
            trainable: one flag, or one for each layer, output layer last.
        """
        shared = {k: settings[k] for k in ("resnet_dt", "activation_function", "precision")}
        return MLP.create(n_in, settings["neuron"], rng, n_out=n_out, trainable=trainable, **shared)

    @classmethod
    def outputs(cls, frame_width: int, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Return how many numbers the networks give for an atom.

        Args:
            frame_width: number of rotating vectors of the descriptor.
            settings: all settings of the class.
        """
        return 1

    @classmethod
    def statistics(cls, ntypes: int, settings: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """Return neutral values of the buffers that only this class has."""
        return {}

    def check_descriptor(self, descriptor: Descriptor) -> None:
        """Raise a one-line error if the networks do not fit what a descriptor gives.

        Raises:
            DPError: the number of networks, the width of one, or no vectors where they are needed.
        """
        n_out = self.outputs(descriptor.frame_width, vars(self))
        check_nets(self, self.input_width(descriptor.width), n_out, mixed=descriptor.mixed_types)

    def input_width(self, width: int) -> int:
        """Return how many numbers the networks are given for an atom of ``width`` features."""
        return input_width(width, vars(self))

    @property
    def output(self) -> Output:
        """The property that is fitted."""
        raise NotImplementedError

    @property
    def ntypes(self) -> int:
        """Number of atom types."""
        return int(shape(self.bias_atom_e)[0])

    @property
    def unselected_types(self) -> tuple[int, ...]:
        """Types that do not have the property at all."""
        return ()

    def __call__(self, description: Description, batch: Batch) -> Any:
        """Return the property of each centre, ``(centre, *output.shape)``.

        Args:
            description: what the descriptor says of the centres.
            batch: the batch, for its frames' and atoms' parameters.
        """
        return self.biased(self.raw(description.features, batch), batch)

    def finished(self, values: Any, bias: Any, std: Any, batch: Batch) -> Any:  # noqa: ARG002
        """Return the property with a model's output statistics applied: by default the bias added.

        Args:
            values: what the fitting gave, ``(centre, *output.shape)``.
            bias: output bias of the types, ``(1, type, output.size)``.
            std: output deviation of the types, ``(1, type, output.size)``.
            batch: the batch.
        """
        xp = namespace(values)
        return values + xp.reshape(of_types(bias[0, ...], batch), (-1, *self.output.shape))

    def without_bias(self) -> Self:
        """Return the fitting without biases of its own."""
        return self.with_(bias_atom_e=0.0 * self.bias_atom_e)

    def raw(self, features: Any, batch: Batch) -> Any:
        """Return what the networks give, ``(centre, n)``; of excluded types it means nothing.

        Args:
            features: descriptors on the centre axis, ``(centre, width)``.
            batch: the batch.
        """
        n_out = shape(self.bias_atom_e)[1]

        def run(net: MLP, x: Any, kind: int | None) -> Any:
            if kind in self.exclude_types:
                return namespace(x).zeros((shape(x)[0], n_out), like=x)
            return net(x)

        return self._by_net(run, features, batch)

    def last_hidden(self, features: Any, batch: Batch) -> Any:
        """Return what the last hidden layers give, ``(centre, neuron[-1])``."""
        return self._by_net(lambda net, x, _: net.hidden(x), features, batch)

    def biased(self, raw: Any, batch: Batch) -> Any:
        """Return network outputs plus the bias of the type, in its dtype; zero for excluded types."""
        values = as_type_of(raw, self.bias_atom_e) + of_types(self.bias_atom_e, batch)
        return zeroed(values, batch, self.exclude_types)

    def _by_net(
        self, run: Callable[[MLP, Any, int | None], Any], features: Any, batch: Batch
    ) -> Any:
        given = network_inputs(self, features, batch)
        if len(self.nets) == 1:
            return run(self.nets[0], given, None)
        rows = zip(by_group(batch, given), batch.groups, strict=True)
        found = [run(self.nets[group.type or 0], x, group.type) for x, group in rows]
        return found[0] if len(found) == 1 else namespace(given).concat(found, axis=0)
