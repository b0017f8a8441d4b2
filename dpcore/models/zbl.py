"""A model that gives way to a table of pair energies where atoms come close."""

from typing import Any, Self

from dpcore.batch import Batch, by_block
from dpcore.descriptors.environment import switch_function
from dpcore.errors import DPError
from dpcore.fittings.by_type import of_types
from dpcore.models.biased import neutral_statistics
from dpcore.models.composite import Composite
from dpcore.models.model import Model
from dpcore.models.pair_table import PairTable
from dpcore.tree import setting
from dpcore.xp import as_type_of, namespace


class ZBLModel(Composite, name="zbl"):
    """Interpolation ``(1 - w) E_model + w E_table`` by the soft minimum of the distances of the neighbours.

    The weight w of an atom falls from 1 to 0 between ``sw_rmin`` and ``sw_rmax`` of
    ``Σ r exp(-r/α) / Σ exp(-r/α)``. The first model is learned, the second the table.
    Source: Wang et al., Appl. Phys. Lett. 114, 244101 (2019).
    """

    sw_rmin: float = setting(
        doc="soft minimum of the distances up to which the table alone counts, Å"
    )
    sw_rmax: float = setting(
        doc="soft minimum of the distances from which the table does not count, Å"
    )
    smin_alpha: float = setting(0.1, doc="decay length α of the soft minimum, Å")
    srtab_add_bias: bool = setting(
        True, doc="whether the output bias is added to the table's energy too"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.models) != 2 or not isinstance(self.models[1], PairTable):
            raise DPError("model.models: a model and a pair table, in this order, are needed")
        if not self.smin_alpha > 0:
            raise DPError(f"model.smin_alpha: {self.smin_alpha} must be positive")
        if not 0 <= self.sw_rmin < self.sw_rmax:
            raise DPError(
                f"model.sw_rmax: {self.sw_rmax} must be larger than sw_rmin = {self.sw_rmin}, and both "
                "not negative"
            )
        if self.sw_rmax > self.models[1].rcut:
            raise DPError(
                f"model.sw_rmax: {self.sw_rmax} is beyond the cutoff, rcut = {self.models[1].rcut}"
            )

    @classmethod
    def create(
        cls, *, model: Model, table: PairTable, type_map: tuple[str, ...], **settings: Any
    ) -> Self:
        """Return an interpolation without a bias of its own."""
        return cls(
            models=(model, table),
            type_map=type_map,
            **neutral_statistics(len(type_map)),
            **settings,
        )

    def atomic(self, batch: Batch, displacement: Any) -> Any:
        """Return the energy of each centre, ``(centre, 1)``, eV."""
        shares = self.shares(batch, displacement)
        learned, tabulated = self.energies(shares)
        weight = as_type_of(self._weight(*shares[1]), self.out_bias)
        energy = learned + weight * (tabulated - learned)
        if not self.srtab_add_bias:
            energy = energy - weight * of_types(self.out_bias[0, :, :], batch)
        return self.finished(energy, batch)

    def features(self, batch: Batch, displacement: Any) -> Any:
        """Return the descriptors of the learned model, ``(centre, width)``."""
        return self.models[0].features(*self.shares(batch, displacement)[0])

    def _weight(self, batch: Batch, displacement: Any) -> Any:
        """Return the weight of the table, ``(centre, 1)``."""
        xp, real = namespace(displacement), batch.view.blocks[0][0].mask()
        vectors = by_block(batch.view, displacement)[0][0]
        distance = xp.sqrt(xp.sum(vectors * vectors, axis=-1))
        # The common factor keeps small numbers from vanishing; it cancels, and so do its derivatives.
        nearest = xp.stop_gradient(distance[:, :1])
        share = xp.exp((nearest - distance) * (1.0 / self.smin_alpha))
        share = xp.where(real, share, xp.zeros_like(share))
        total = xp.sum(share, axis=1, keepdims=True)
        alone = total == 0.0
        total = xp.where(alone, xp.ones_like(total), total)
        minimum = xp.sum(share * distance, axis=1, keepdims=True) / total
        weight = switch_function(minimum, self.sw_rmin, self.sw_rmax)
        return xp.where(alone, xp.zeros_like(weight), weight)
