"""Choosing a branch of a multi-task model."""

from dataclasses import replace
from typing import Any

from dpcore.errors import DPError
from dpcore.formats import Document
from dpcore.models import Model
from dpcore.models.branches import MultiTask

BRANCHES = "branches"
"""Where the provenance of a multi-task model has that of each branch, by name."""


def with_head(document: Document, head: str | None, where: object) -> Document:
    """Return a document with the one model that is to be evaluated.

    Args:
        document: a document, whose model may have branches.
        head: the name of a branch, needed where there are some.
        where: the file, for messages.

    Raises:
        DPError: no branch was chosen, there is none of that name, or there are none at all.
    """
    model = document.model
    if not isinstance(model, MultiTask):
        if head is not None:
            raise DPError(f"--head {head}: {where} is no multi-task model; leave --head out")
        return document
    if head is None:
        raise DPError(
            f"{where}: is a multi-task model; choose a branch with --head (head=…): {model.listed}"
        )
    try:
        name = model.find(head)
    except DPError as error:
        raise DPError(f"{where}: {error}") from error
    known = {k: v for k, v in document.provenance.items() if k not in _OF_ALL}
    own = document.provenance.get(BRANCHES, {}).get(name, {})
    return replace(document, model=model.branches[name], provenance=known | own | {"branch": name})


def with_model_in(document: Document, head: str | None, model: Model) -> Document:
    """Return a document with another model in place of the one that :func:`with_head` gives."""
    whole = document.model
    if isinstance(whole, MultiTask):
        assert head is not None
        model = whole.with_branch(whole.find(head), model)
    return replace(document, model=model)


_OF_ALL = (BRANCHES, "model_def_script")


def provenance_of(branches: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the provenance of a multi-task model.

    Args:
        branches: that of each branch, by name, with ``model_def_script``.
    """
    sections = {name: own["model_def_script"] for name, own in branches.items()}
    return {"model_def_script": {"model_dict": sections}, BRANCHES: branches}
