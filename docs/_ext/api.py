"""The API pages: every module of a package, so that none is forgotten, with readable signatures."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.typing import stringify_annotation

# Packages by page; what no page names is on the page "core".
PAGES = {
    "evaluate": ("dpcore.infer",),
    "parity": ("dpcore.parity",),
    "data": ("dpcore.data", "dpcore.accuracy"),
    "train": ("dpcore.train",),
    "models": (
        "dpcore.models",
        "dpcore.descriptors",
        "dpcore.fittings",
        "dpcore.nn",
        "dpcore.neighbours",
    ),
    "files": ("dpcore_serialization",),
}
# The class that users meet has a place of its own, and commands have their page.
ELSEWHERE = ("dpcore.infer.deep_pot", "dpcore.cli", "dpcore.__main__")

_ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")
_NDARRAY = re.compile(r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.{3}\], ~?numpy\.dtype\[[^]]*\]\]")


def pages() -> dict[str, str]:
    """Return the text of each page."""
    found = dict.fromkeys([*PAGES, "core"], "")
    for name in sorted({*_modules("dpcore"), *_modules("dpcore_serialization")}):
        if not _below(name, ELSEWHERE) and _has_public_names(importlib.import_module(name)):
            page = next((p for p, packages in PAGES.items() if _below(name, packages)), "core")
            found[page] += f"## `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n\n"
    return found


def _modules(package: str) -> Iterator[str]:
    module = importlib.import_module(package)
    below = pkgutil.walk_packages(module.__path__, f"{package}.")
    # Packages only repeat names of their modules.
    yield from (info.name for info in below if not info.ispkg)


def _below(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _has_public_names(module: ModuleType) -> bool:
    own = [value for value in vars(module).values() if _owner(value) == module.__name__]
    return any(not value.__name__.startswith("_") for value in own)


def _owner(value: object) -> str | None:
    documented = inspect.isclass(value) or inspect.isfunction(value)
    return getattr(value, "__module__", None) if documented else None


def write(app: Sphinx, _: Config) -> None:
    """Write the pages that are not as they should be already."""
    target = Path(app.srcdir, "_generated")
    target.mkdir(exist_ok=True)
    for name, text in pages().items():
        path = target / f"api-{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def shorten(*arguments: str | None) -> tuple[str | None, str | None]:
    """Return a signature and return annotation with names for NumPy's long types."""
    return _short(arguments[-2]), _short(arguments[-1])


def _short(text: str | None) -> str | None:
    return text and _NDARRAY.sub("Array", text.replace(_ARRAY_LIKE, "ArrayLike"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Generate the pages once the configuration is read."""
    app.connect("config-inited", write)
    app.connect("autodoc-process-signature", shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
