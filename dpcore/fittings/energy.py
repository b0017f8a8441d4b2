"""The fitting network of the energy."""

from typing import Any, Self

import numpy as np

from dpcore.batch import Batch, Group
from dpcore.errors import DPError
from dpcore.nn import MLP, activation
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, buffer, setting
from dpcore.xp import as_type_of, namespace, shape


class EnergyFitting(Module, name="ener"):
    """One network for each atom type: descriptor and parameters in, atomic energy out."""

    neuron: tuple[int, ...] = setting(
        (120, 120, 120), doc="widths of the hidden layers", aliases=("n_neuron",)
    )
    activation_function: str = setting("tanh", doc="activation of the hidden layers")
    resnet_dt: bool = setting(True, doc="scale residual layers by a trained timestep")
    precision: str = setting("default", doc="precision of the parameters")
    numb_fparam: int = setting(0, doc="number of frame parameters")
    numb_aparam: int = setting(0, doc="number of atomic parameters")
    default_fparam: tuple[float, ...] | None = setting(
        None, doc="frame parameters of frames that come without"
    )
    atom_ener: tuple[float | None, ...] = setting(
        (), doc="energies of the isolated atoms, eV; None leaves a type free"
    )
    use_aparam_as_mask: bool = setting(
        False, doc="atomic parameters mark atoms and do not enter the networks"
    )
    exclude_types: tuple[int, ...] = setting((), doc="types whose network output is dropped")
    rcond: float | None = setting(None, doc="condition number of the fit of the output bias")
    layer_name: tuple[str | None, ...] | None = setting(None, doc="names of layers to share")
    nets: tuple[MLP, ...]
    bias_atom_e: Any = buffer(exact=True)
    fparam_avg: Any = buffer(default=None)
    fparam_inv_std: Any = buffer(default=None)
    aparam_avg: Any = buffer(default=None)
    aparam_inv_std: Any = buffer(default=None)

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        *,
        ntypes: int,
        width: int,
        trainable: tuple[bool, ...] | bool = True,
        **settings: Any,
    ) -> Self:
        """Draw a fitting with random networks and neutral statistics.

        Args:
            rng: source of the random numbers.
            ntypes: number of atom types.
            width: number of features of the descriptor.
            trainable: one flag, or one for each layer, output layer last.
            settings: the settings of the class.
        """
        neuron = settings.get("neuron", (120, 120, 120))
        if not isinstance(trainable, bool) and len(trainable) != len(neuron) + 1:
            raise DPError(
                f"fitting_net.trainable: {len(trainable)} flags for {len(neuron) + 1} layers"
            )
        n_fparam, n_aparam = settings.get("numb_fparam", 0), settings.get("numb_aparam", 0)
        precision = settings.get("precision", "default")
        dtype = numpy_dtype(precision)
        shared = {
            "resnet_dt": settings.get("resnet_dt", True),
            "activation_function": settings.get("activation_function", "tanh"),
            "precision": precision,
        }
        masked = settings.get("use_aparam_as_mask", False)
        n_in = width + n_fparam + (0 if masked else n_aparam)
        return cls(
            nets=tuple(
                MLP.create(n_in, neuron, rng, n_out=1, trainable=trainable, **shared)
                for _ in range(ntypes)
            ),
            bias_atom_e=np.zeros((ntypes, 1)),
            fparam_avg=np.zeros(n_fparam, dtype) if n_fparam else None,
            fparam_inv_std=np.ones(n_fparam, dtype) if n_fparam else None,
            aparam_avg=np.zeros(n_aparam, dtype) if n_aparam else None,
            aparam_inv_std=np.ones(n_aparam, dtype) if n_aparam else None,
            **settings,
        )

    def __call__(self, features: Any, group: Group, batch: Batch) -> Any:
        """Return the atomic energies of a group, eV.

        Args:
            features: descriptors, ``(centre, width)``.
            group: the atoms, which share a type.
            batch: the batch that holds their frames' parameters.

        Returns:
            energies, ``(centre,)``, in the dtype of ``bias_atom_e``.
        """
        xp, t = namespace(features), group.type
        bias = self.bias_atom_e[t, 0]
        features = as_type_of(features, self.nets[t].layers[0].weight)
        if t in self.exclude_types:
            return xp.zeros_like(as_type_of(features[:, 0], self.bias_atom_e))
        parameters = self._parameters(group, batch)
        given = xp.concat([features, *parameters], axis=-1) if parameters else features
        energy = self.nets[t](given)
        if self._subtracts_vacuum(t):
            vacuum = xp.concat([xp.zeros_like(features), *parameters], axis=-1)
            energy = energy - self.nets[t](vacuum)
        return as_type_of(energy[:, 0], self.bias_atom_e) + bias

    def _subtracts_vacuum(self, t: int) -> bool:
        """Return whether the energy of this type is measured from that of a bare atom."""
        fixed = [e is not None for e in self.atom_ener]
        return any(fixed) and (t >= len(fixed) or fixed[t])

    def _parameters(self, group: Group, batch: Batch) -> list[Any]:
        """Return the normalised frame and atomic parameters of the atoms, ``(centre, n)`` each."""
        weight = self.nets[group.type].layers[0].weight
        xp, parameters = namespace(weight), []
        if self.numb_fparam:
            fparam = as_type_of(batch.fparam, weight)
            fparam = (fparam - self.fparam_avg) * self.fparam_inv_std
            frame = xp.take(batch.frame, group.place, axis=0)
            parameters.append(xp.take(fparam, frame, axis=0))
        if self.numb_aparam and not self.use_aparam_as_mask:
            aparam = as_type_of(xp.take(batch.aparam, group.place, axis=0), weight)
            parameters.append((aparam - self.aparam_avg) * self.aparam_inv_std)
        return parameters


def _check(settings: EnergyFitting) -> None:
    """Raise a one-line error for settings that have no meaning."""
    activation(settings.activation_function)
    numpy_dtype(settings.precision)
    for key in ("numb_fparam", "numb_aparam"):
        if getattr(settings, key) < 0:
            raise DPError(f"fitting_net.{key}: {getattr(settings, key)} must not be negative")
    if settings.layer_name is not None and any(settings.layer_name):
        raise DPError(
            "fitting_net.layer_name: sharing layers by name is not supported; leave it out"
        )
    default = settings.default_fparam
    if default is not None and len(default) != settings.numb_fparam:
        raise DPError(
            f"fitting_net.default_fparam: {len(default)} values for numb_fparam = {settings.numb_fparam}"
        )
    widths = {
        "bias_atom_e": (len(settings.nets), 1),
        "fparam_avg": (settings.numb_fparam,),
        "fparam_inv_std": (settings.numb_fparam,),
        "aparam_avg": (settings.numb_aparam,),
        "aparam_inv_std": (settings.numb_aparam,),
    }
    for key, needed in widths.items():
        value = getattr(settings, key)
        found = (0,) if value is None else shape(value)
        if found != needed:
            raise DPError(f"fitting.{key}: shape {found}; these settings need {needed}")
    if len(settings.atom_ener) > len(settings.nets):
        raise DPError(
            f"fitting_net.atom_ener: {len(settings.atom_ener)} energies for {len(settings.nets)} types"
        )
