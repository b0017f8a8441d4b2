"""The ``model`` section of a multi-task model: branches that share sections."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from dpcore.errors import DPError
from dpcore.settings.check import is_comment
from dpcore.settings.shared import Link, collapsed, resolved

_OWN = ("model_dict", "shared_dict")


@dataclass(frozen=True)
class Branches:
    """The branches of a model section.

    Attributes:
        models: their model sections by name, without names of shared sections.
        links: where shared sections were named.
        unused: shared sections that no branch names.
    """

    models: dict[str, Any]
    links: tuple[Link, ...]
    unused: tuple[str, ...]

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> "Branches":
        """Return the branches of a section as it was written.

        Raises:
            DPError: ``shared_dict`` is no section, or a shared section does not exist.
        """
        given = {key: section.get(key, {}) for key in _OWN}
        if not isinstance(given["shared_dict"], dict):
            raise DPError(
                f"model.shared_dict: {given['shared_dict']!r} is of a wrong kind; allowed: a section"
            )
        common = {k: v for k, v in section.items() if k not in _OWN and not is_comment(k)}
        models = {
            name: {**deepcopy(common), **branch} if isinstance(branch, dict) else branch
            for name, branch in given["model_dict"].items()
            if not is_comment(name)
        }
        shared = {k: v for k, v in given["shared_dict"].items() if not is_comment(k)}
        found, links = resolved(models, shared, "model.model_dict")
        return cls(found, links, tuple(sorted(shared.keys() - {link.name for link in links})))

    def section(self, models: Mapping[str, Any]) -> dict[str, Any]:
        """Return the section that complete model sections of the branches are in."""
        found, shared = collapsed(models, self.links)
        return {"model_dict": found, "shared_dict": shared}
