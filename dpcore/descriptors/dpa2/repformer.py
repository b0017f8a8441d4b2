"""The layers that update the features of atoms and pairs by each other."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dpcore.batch import Batch
from dpcore.descriptors.dpa2.around import Around, Here
from dpcore.descriptors.dpa2.atom_update import AtomUpdate
from dpcore.descriptors.dpa2.common import Common
from dpcore.descriptors.dpa2.pair_update import PairUpdate
from dpcore.descriptors.dpa2.settings import RepformerSettings
from dpcore.descriptors.environment import environment_matrix
from dpcore.descriptors.mixed_rows import normalised_rows
from dpcore.descriptors.neighbourhood import neighbourhood
from dpcore.nn import Dense
from dpcore.nn.activation import activation
from dpcore.nn.linear import linear
from dpcore.nn.neighbourhood import Neighbourhood
from dpcore.nn.precision import numpy_dtype
from dpcore.tree import Module, buffer
from dpcore.xp import as_type_of, namespace


@dataclass(frozen=True)
class Updated:
    """What the layers make of atoms and pairs.

    Attributes:
        atoms: features g1 of the atoms, ``(centre, g1_dim)``.
        pairs: features g2 of the pairs, ``(centre, neighbour, g2_dim)``.
        vectors: h2, which rotate with the atoms, ``(centre, neighbour, 3)``.
        frames: vectors of the atoms that rotate with them, ``(centre, g2_dim, 3)``.
    """

    atoms: Any
    pairs: Any
    vectors: Any
    frames: Any


class Layer(Module, name="dpa2_layer"):
    """One update of the features of atoms and, in all layers but the last, of pairs."""

    atoms: AtomUpdate
    pairs: PairUpdate | None = None


class Repformer(Module, name="dpa2_repformer"):
    """Features g1 of atoms, g2 of pairs and vectors h2 of pairs, which layers update by each other.

    Attributes:
        pair_net: makes g2 of the radial part of the normalised rows, or of the distance.
        layers: the layers.
    """

    pair_net: Dense
    layers: tuple[Layer, ...]
    davg: Any = buffer()
    dstd: Any = buffer()

    @classmethod
    def create(
        cls,
        rng: np.random.Generator,
        ntypes: int,
        common: Common,
        settings: RepformerSettings,
    ) -> Self:
        """Draw layers with random networks and neutral statistics."""
        told = common.told
        norm = {"eps": settings.eps, "trainable": settings.trainable_ln}

        def layer(*, last: bool) -> Layer:
            atoms = AtomUpdate.create(rng, settings, **told)
            return Layer(
                atoms=atoms, pairs=None if last else PairUpdate.create(rng, settings, norm, **told)
            )

        sizes, dtype = (ntypes, settings.nsel, 4), numpy_dtype(common.precision)
        return cls(
            pair_net=linear(rng, 1, settings.g2_dim, **told),
            layers=tuple(layer(last=i == 1) for i in range(settings.nlayers, 0, -1)),
            davg=np.zeros(sizes, dtype),
            dstd=np.ones(sizes, dtype),
        )

    def __call__(
        self,
        batch: Batch,
        displacement: Any,
        atoms: Any,
        settings: RepformerSettings,
        common: Common,
    ) -> Updated:
        """Return all features after the last layer.

        Args:
            batch: the atoms and their neighbours.
            displacement: vectors to the neighbours on the batch's edge axis, ``(edge, 3)``, Å.
            atoms: features of the atoms before the first activation, ``(centre, g1_dim)``.
            settings: the settings of the layers.
            common: what all parts are told.
        """
        cutoff = (settings.rcut_smth, settings.rcut)
        found = neighbourhood(batch, displacement, *cutoff, exclude=common.excluded)
        smooth, root = common.smooth, settings.use_sqrt_nnei
        around = Around.of(found, settings.nsel, atoms, smooth=smooth, root=root)
        phi = activation(settings.activation_function)
        if settings.direct_dist:
            radial = found.length / settings.rcut
            vectors = found.displacement * found.there / settings.rcut
        else:
            radial, vectors = self._rows(batch, found, cutoff, common.env_protection)
        pairs = phi(self.pair_net(as_type_of(radial, atoms)))
        atoms, vectors = phi(atoms), as_type_of(vectors, atoms)
        for layer in self.layers:
            here = Here(atoms, found.of_neighbours(atoms), pairs, vectors)
            if layer.pairs is not None:
                pairs, vectors = layer.pairs(here, around, phi)
            atoms = layer.atoms(here, around, settings, phi)
        frames = namespace(atoms).permute_dims(around.moments(vectors, pairs), (0, 2, 1))
        return Updated(atoms, pairs, vectors, frames)

    def _rows(
        self, batch: Batch, found: Neighbourhood, cutoff: tuple[float, float], protection: float
    ) -> list[Any]:
        """Return radial and directional part of the normalised rows, 0 where no neighbour counts."""
        rows = environment_matrix(found.displacement, *cutoff, protection)
        rows = normalised_rows(batch, rows, self.davg, self.dstd) * found.there
        return list(namespace(rows).split(rows, [1, 3], axis=2))
