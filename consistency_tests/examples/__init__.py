"""Example models, one module for each component."""

import importlib
import pkgutil

from examples.example import Example


def collected() -> list[Example]:
    """Return the examples of all modules of this package."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"examples.{name}") for name in names if name != "example"]
    return [example for module in modules for example in module.EXAMPLES]
