"""What evaluators tell about their models, with DeePMD-kit's calls."""

from collections.abc import Mapping
from typing import Any

from dpcore.formats import Document
from dpcore.models import Model, Output
from dpcore.models.survey import parameter_counts, unselected_types
from dpcore.tree import inside


class Facts:
    """The calls that tell about a model, whatever it predicts."""

    document: Document

    @property
    def model(self) -> Model:
        """The model tree, with NumPy arrays."""
        return self.document.model

    @property
    def output(self) -> Output:
        """What the model predicts."""
        return self.model.output

    def get_model(self) -> Model:
        """Return the model tree, with NumPy arrays."""
        return self.model

    def get_rcut(self) -> float:
        """Return the cutoff, Å."""
        return self.model.rcut

    def get_type_map(self) -> list[str]:
        """Return the names of the atom types."""
        return list(self.model.type_map)

    def get_ntypes(self) -> int:
        """Return the number of atom types."""
        return len(self.model.type_map)

    def get_sel(self) -> list[int]:
        """Return the largest number of neighbours of each type; a single number where types are mixed.

        Where the parts of a model look at different neighbours, it is what holds all of them.
        """
        selections = self.model.selections
        if any(selection.mixed for selection in selections):
            return [max(selection.most for selection in selections)]
        return [max(each) for each in zip(*(s.sel for s in selections), strict=True)]

    def get_dim_fparam(self) -> int:
        """Return the number of frame parameters."""
        return self.model.conditions.numb_fparam

    def get_dim_aparam(self) -> int:
        """Return the number of atomic parameters."""
        return self.model.conditions.numb_aparam

    def has_default_fparam(self) -> bool:
        """Return whether frames may come without frame parameters."""
        return self.model.conditions.default_fparam is not None

    def get_sel_type(self) -> list[int]:
        """Return the types whose atoms have the property that is predicted."""
        lacking = unselected_types(self.model)
        return [t for t in range(self.get_ntypes()) if t not in lacking]

    @property
    def has_spin(self) -> bool:
        """Whether the model takes the spins of the atoms."""
        return self.model.conditions.spin

    @property
    def use_spin(self) -> list[bool]:
        """Whether each type is magnetic; empty for a model without spins."""
        if not self.has_spin:
            return []
        found = {
            name: flag
            for _, part in inside(self.model, Model)
            for name, flag in zip(part.type_map, getattr(part, "use_spin", ()), strict=False)
        }
        return [bool(found.get(name, False)) for name in self.model.type_map]

    def get_ntypes_spin(self) -> int:
        """Return 0: virtual types are the model's own affair, and no input has them."""
        return 0

    @property
    def has_efield(self) -> bool:
        """Whether the model takes an electric field: none does."""
        return False

    @property
    def has_hessian(self) -> bool:
        """Whether the model predicts second derivatives: none does."""
        return False

    def has_chg_spin_ebd(self) -> bool:
        """Return whether the model takes the charge and spin multiplicity of frames."""
        return self.model.conditions.charge_spin

    def has_default_chg_spin(self) -> bool:
        """Return whether frames may come without charge and spin, where the model takes them."""
        return self.model.conditions.default_chg_spin is not None

    def get_model_def_script(self) -> dict[str, Any]:
        """Return the model section of the input that the model was made from; empty if it is not known."""
        script = self.document.provenance.get("model_def_script")
        return dict(script) if isinstance(script, Mapping) else {}

    def get_model_size(self) -> dict[str, int]:
        """Return the number of parameters of each part and of the whole."""
        return {part: count["total"] for part, count in parameter_counts(self.model).items()}

    def get_observed_types(self) -> dict[str, Any]:
        """Return the types of the training data: their number, and their names.

        Where the file does not tell, all types of the model count.
        """
        info = self.get_model_def_script().get("info", {})
        seen = info.get("observed_type") if isinstance(info, Mapping) else None
        names = list(seen) if isinstance(seen, list) else self.get_type_map()
        return {"type_num": len(names), "observed_type": names}
