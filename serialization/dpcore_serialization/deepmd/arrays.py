"""The arrays inside DeePMD-kit's dictionaries."""

from collections.abc import Callable
from typing import Any


def map_variables(node: Any, function: Callable[[Any], Any], *, inside: bool = False) -> Any:
    """Copy nested tables with ``function`` applied to every entry below an ``@variables`` key.

    An object that is referred to from several places is visited once, so that a small text cannot grow
    into a large structure.
    """
    return _Walk(function).visit(node, inside=inside)


class _Walk:
    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._seen: dict[tuple[int, bool], Any] = {}

    def visit(self, node: Any, *, inside: bool) -> Any:
        if isinstance(node, dict) and node.get("@is_variable"):
            return self._function(node)
        if not isinstance(node, (dict, list)):
            return self._function(node) if inside and node is not None else node
        key = (id(node), inside)
        if key not in self._seen:
            self._seen[key] = None  # a structure inside itself ends here
            if isinstance(node, list):
                self._seen[key] = [self.visit(v, inside=inside) for v in node]
            else:
                self._seen[key] = {
                    k: self.visit(v, inside=inside or k == "@variables") for k, v in node.items()
                }
        return self._seen[key]
