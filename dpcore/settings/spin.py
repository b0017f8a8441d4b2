"""Models with spins from the ``spin`` section of a standard model."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dpcore.descriptors import DESCRIPTORS
from dpcore.descriptors.typed import TypedDescriptor
from dpcore.errors import DPError, suggest
from dpcore.models import SpinModel, StandardModel
from dpcore.models.spin_types import SpinTypes
from dpcore.settings.arguments import arguments, canonical, values_of
from dpcore.settings.native_spin import check_scheme, with_spins
from dpcore.tree import Module, setting

if TYPE_CHECKING:
    from dargs import Argument

Settings = dict[str, Any]

# What distances are protected by where nothing is said: spins may come close to zero.
_PROTECTION = 0.01


class SpinSettings(Module):
    """The ``spin`` section."""

    use_spin: tuple[bool, ...] | tuple[int, ...] | tuple[str, ...] = setting(
        doc="a flag for each type, or the names or indices of the magnetic types"
    )
    virtual_scale: float | tuple[float, ...] | None = setting(
        None,
        doc="displacement of a virtual atom over the spin, Å: one number, or one for each type or each "
        "magnetic type",
    )
    virtual_len: tuple[float, ...] | None = setting(
        None, doc="with spin_norm, in place of virtual_scale: displacement of virtual atoms, Å"
    )
    spin_norm: tuple[float, ...] | None = setting(
        None, doc="with virtual_len, in place of virtual_scale: length of the spins"
    )
    scheme: str = setting(
        "deepspin",
        doc="how spins enter: deepspin, by virtual atoms, or native, as features of the atoms, which dpa4 "
        "has and for which displacements are without effect",
    )
    allow_missing_label: bool = setting(
        False,
        doc="whether training data may come without spins, without effect on predictions; not possible "
        "with virtual atoms",
    )

    def __post_init__(self) -> None:
        if self.scheme not in {"deepspin", "native"}:
            raise DPError(
                f"model.spin.scheme: {self.scheme!r} is unknown; allowed: deepspin, native"
            )
        if self.allow_missing_label and self.scheme == "deepspin":
            raise DPError(
                "model.spin.allow_missing_label: virtual atoms need spins; give the data spins, or leave "
                "it out"
            )

    def types(self, type_map: tuple[str, ...]) -> SpinTypes:
        """Return the types of the model, for the names of its atoms."""
        given = self.use_spin
        if all(isinstance(value, bool) for value in given):
            return SpinTypes(type_map, tuple(map(bool, given)))
        magnetic = {self._index(value, type_map) for value in given}
        return SpinTypes(type_map, tuple(t in magnetic for t in range(len(type_map))))

    def _index(self, value: int | str, type_map: tuple[str, ...]) -> int:
        if isinstance(value, str):
            if value not in type_map:
                raise DPError(
                    f"model.spin.use_spin: there is no type {value!r}{suggest(value, type_map)}"
                )
            return type_map.index(value)
        if not 0 <= value < len(type_map):
            raise DPError(
                f"model.spin.use_spin: there is no type {value}; allowed: 0 … {len(type_map) - 1}"
            )
        return value

    def scales(self, types: SpinTypes) -> tuple[float, ...]:
        """Return the displacement of virtual atoms over the spin, for each type."""
        older = {"virtual_len": self.virtual_len, "spin_norm": self.spin_norm}
        given = [key for key, value in older.items() if value is not None]
        if (self.virtual_scale is None) == (len(given) < 2) or len(given) == 1:
            raise DPError(
                "model.spin: either virtual_scale is needed, or both of virtual_len and spin_norm; found "
                f"{sorted([*given, *['virtual_scale'] * (self.virtual_scale is not None)])}"
            )
        if self.virtual_len is None or self.spin_norm is None:
            return _each("virtual_scale", self.virtual_scale, types)
        lengths, norms = (_each(key, value, types) for key, value in older.items())
        return tuple(
            a / b if magnetic and b else 0.0
            for a, b, magnetic in zip(lengths, norms, types.use_spin, strict=True)
        )


def _each(key: str, given: Any, types: SpinTypes) -> tuple[float, ...]:
    """Return a number for each type, of those of all or of the magnetic types."""
    magnetic, ntypes = sum(types.use_spin), len(types.type_map)
    if not isinstance(given, tuple):
        return (float(given),) * ntypes
    if len(given) == ntypes:
        return tuple(map(float, given))
    if len(given) != magnetic:
        raise DPError(
            f"model.spin.{key}: {len(given)} numbers for {ntypes} types, of which {magnetic} are magnetic; "
            "give one for each of either"
        )
    rest = iter(given)
    return tuple(float(next(rest)) if flag else 0.0 for flag in types.use_spin)


def spin_section() -> "Argument":
    """Return the definition of the ``spin`` section."""
    from dargs import Argument

    doc = (
        "give the atoms spins. A type embedding or descriptor then has a virtual type behind each type; "
        f"an env_protection of 0 becomes {_PROTECTION} Å, since virtual atoms come close to their atoms"
    )
    return Argument("spin", dict, arguments(SpinSettings), optional=True, doc=doc)


def virtual_scales(settings: Mapping[str, Any], type_map: tuple[str, ...]) -> list[float] | None:
    """Return displacements of virtual atoms over the spin by type, Å, 0 where there are none.

    Args:
        settings: the complete section of a model.
        type_map: names of its types.

    Returns:
        the displacements, or None where a model has no virtual atoms.
    """
    section = settings.get("spin")
    if section is None:
        return None
    chosen = SpinSettings(**values_of(SpinSettings, section, "model.spin"))
    if chosen.scheme == "native":
        return None
    types = chosen.types(type_map)
    return [s * flag for s, flag in zip(chosen.scales(types), types.use_spin, strict=True)]


def draw_spin(
    settings: Settings, seed: int | None, draw: Callable[[Settings, int | None], StandardModel]
) -> SpinModel | StandardModel:
    """Draw a model with spins.

    Args:
        settings: the complete section of a standard model, with that of ``spin``.
        seed: seed of the random numbers.
        draw: draws a standard model.
    """
    chosen = SpinSettings(**values_of(SpinSettings, settings["spin"], "model.spin"))
    types = chosen.types(tuple(settings["type_map"]))
    check_scheme(settings, chosen.scheme)
    if chosen.scheme == "native":
        return draw(with_spins(settings, types.use_spin), seed)
    scales = chosen.scales(types)
    return SpinModel.of(draw(_backbone(settings, types), seed), types.use_spin, scales)


def _backbone(settings: Settings, types: SpinTypes) -> Settings:
    """Return the section of the model that sees atoms and virtual atoms alike."""
    fitting, preset = settings["fitting_net"], settings["preset_out_bias"]
    ntypes = len(types.type_map)
    return {
        **{key: value for key, value in settings.items() if key != "spin"},
        "type_map": list(types.doubled),
        "atom_exclude_types": [*settings["atom_exclude_types"], *types.virtual],
        "pair_exclude_types": [*settings["pair_exclude_types"], *map(list, types.isolated)],
        "preset_out_bias": None if preset is None else [*preset, *[None] * ntypes],
        "descriptor": _descriptor(settings["descriptor"]),
        "fitting_net": {**fitting, "exclude_types": [*fitting["exclude_types"], *types.virtual]},
    }


def _descriptor(section: Mapping[str, Any]) -> Settings:
    """Return a section with places for the virtual atoms, in which distances are protected."""
    out = dict(section)
    if "list" in out:
        return {**out, "list": [_descriptor(child) for child in out["list"]]}
    if issubclass(DESCRIPTORS[canonical(DESCRIPTORS, out["type"])], TypedDescriptor):
        out["sel"] = [*out["sel"], *out["sel"]]
    if out.get("env_protection") == 0:
        out["env_protection"] = _PROTECTION
    return out
