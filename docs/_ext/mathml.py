"""Formulas as MathML, which browsers draw themselves: no script, no font and no network is needed."""

# docutils comes without annotations:
# mypy: disable-error-code="import-untyped"

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import SphinxError

# Read without complaint, but their indices or what follows them end up in the wrong place.
_MISREAD = ("\\bar", "\\boldsymbol", "\\dot{", "\\hat", "\\tilde", "\\vec")


def _mathml(node: nodes.Element, *, block: bool) -> str:
    misread = [command for command in _MISREAD if command in node.astext()]
    misread += re.findall(r"frac\d\d", node.astext())
    if node.astext().count("{") != node.astext().count("}"):
        misread.append("unequal braces")
    if misread:
        raise SphinxError(f"the formula {node.astext()!r} has {misread[0]}, which comes out wrong")
    try:
        text: str = tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        raise SphinxError(f"the formula {node.astext()!r} is not understood: {error}") from error
    return text


def _visit_inline(translator: Any, node: nodes.Element) -> None:
    translator.body.append(_mathml(node, block=False))
    raise nodes.SkipNode


def _visit_block(translator: Any, node: nodes.Element) -> None:
    translator.body.append(f'<div class="math-block">{_mathml(node, block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the renderer ``mathml`` to the HTML builders."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
