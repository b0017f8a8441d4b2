"""The rules of the source tree: who imports whom, how long things are, what is documented."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "dpcore"
FILES_PACKAGE = ROOT / "serialization" / "dpcore_serialization"
ADAPTERS = sorted(p for p in ROOT.glob("backends/*/dpcore_*") if p.is_dir())
PACKAGES = [CORE, FILES_PACKAGE, *ADAPTERS]
FRAMEWORKS = {"torch", "jax", "jaxlib", "tensorflow"}
OURS = {p.name for p in PACKAGES} - {"dpcore"}
SOURCES = [(package, path) for package in PACKAGES for path in sorted(package.rglob("*.py"))]
EVERY = pytest.mark.parametrize(
    ("package", "path"), SOURCES, ids=[str(path.relative_to(ROOT)) for _, path in SOURCES]
)
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(node):
    """Return the top-level packages that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and not node.level:
        return {(node.module or "").partition(".")[0]}
    return set()


def imports(path, *, late=True):
    """Return the packages a file imports, those inside functions only if ``late``."""
    found, waiting = set(), [parse(path)]
    while waiting:
        node = waiting.pop()
        found |= imported(node)
        if late or not isinstance(node, FUNCTION):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def test_everything_is_found():
    assert [p.name for p in ADAPTERS] == ["dpcore_jax", "dpcore_tf", "dpcore_torch"]
    assert len(SOURCES) > 50


@EVERY
def test_import_law(package, path):
    found = imports(path)
    if package == CORE:
        assert not found & (FRAMEWORKS | OURS)
    elif package == FILES_PACKAGE:
        assert not found & (FRAMEWORKS | (OURS - {package.name}))
    else:
        assert not found & (OURS - {package.name, FILES_PACKAGE.name})
        own = {"dpcore_torch": {"torch"}, "dpcore_jax": {"jax", "jaxlib"}}
        allowed = own.get(package.name, {"tensorflow"})
        assert not found & (FRAMEWORKS - allowed)
        assert FILES_PACKAGE.name not in imports(path, late=False)


@EVERY
def test_no_relative_or_dynamic_import_of_a_framework(package, path):
    """What the import law reads from import statements is all there is to read."""
    for node in ast.walk(parse(path)):
        assert not (isinstance(node, ast.ImportFrom) and node.level)
        if package == CORE and isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            text = ast.unparse(node)
            assert not any(name in text for name in FRAMEWORKS), text


@pytest.mark.parametrize(
    "path",
    sorted(p for p in CORE.rglob("*") if p.suffix in {".py", ".j2", ".html", ".css", ".toml"}),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_core_names_no_framework(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"(?i)\b(?:py)?(?:torch|jax|tensorflow)\b", text)


@EVERY
def test_lengths(package, path):  # noqa: ARG001
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600
    for node in ast.walk(parse(path)):
        if isinstance(node, FUNCTION):
            assert body_length(node) <= 60, node.name


def body_length(function):
    """Return the number of lines of a function's body without its docstring."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_body_length_leaves_out_the_docstring():
    source = 'def f():\n    """One.\n\n    Two.\n    """\n    a = 1\n\n    return a\n'
    assert body_length(ast.parse(source).body[0]) == 3


@pytest.mark.parametrize("package", ADAPTERS, ids=lambda p: p.name)
def test_adapters_are_small(package):
    lines = [len((package / f).read_text().splitlines()) for f in ("adapter.py", "namespace.py")]
    assert sum(lines) <= 300


def test_no_package_hides_a_framework():
    """An ``__init__.py`` here would turn ``import torch`` into an import of this project."""
    assert not list((ROOT / "backends").glob("__init__.py"))
    assert not list((ROOT / "backends").glob("*/__init__.py"))
    assert not (ROOT / "serialization" / "__init__.py").exists()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_packages_are_typed(package):
    assert (package / "py.typed").is_file()
    assert (package / "__init__.py").is_file()


def test_test_folders_are_no_packages():
    folders = [ROOT / "consistency_tests", *ROOT.glob("**/tests")]
    ours = [f for f in folders if not any(part.startswith(".") for part in f.parts)]
    assert not [found for folder in ours for found in folder.rglob("__init__.py")]


def public(tree, prefix=""):
    """Return the public functions and classes of a module or class, with their methods."""
    for node in tree.body:
        if isinstance(node, (*FUNCTION, ast.ClassDef)) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{prefix}{node.name}.")


def unannotated(function, *, method):
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    bound = method and not any("staticmethod" in ast.unparse(d) for d in function.decorator_list)
    arguments = arguments[1:] if bound else arguments
    arguments += [a for a in (function.args.vararg, function.args.kwarg) if a]
    missing = [a.arg for a in arguments if a.annotation is None]
    return missing if function.returns is not None else [*missing, "return"]


@EVERY
def test_public_names_are_documented_and_annotated(package, path):  # noqa: ARG001
    module = parse(path)
    assert ast.get_docstring(module) or path.name == "__main__.py"
    for name, node in public(module):
        assert ast.get_docstring(node), name
        if isinstance(node, FUNCTION):
            assert not unannotated(node, method="." in name), name


HEAVY = sorted(FRAMEWORKS | {"autograd", "h5py", "jinja2", "matplotlib", "numpy", "yaml"})


def loaded_by(code):
    """Return which of the heavy packages a fresh interpreter has loaded after running some code."""
    report = f"import sys; print('LOADED', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    (line,) = [x for x in done.stdout.splitlines() if x.startswith("LOADED")]
    return line.split()[1:]


def test_the_measurement_sees_what_is_loaded():
    assert loaded_by("import h5py") == ["h5py", "numpy"]


def test_import_is_light():
    assert not loaded_by("import dpcore")


def test_help_is_light():
    """Parsing the command line, and printing its help, loads nothing that takes long to load."""
    code = (
        "import contextlib, dpcore.cli\n"
        "for words in (['-h'], ['test', '-h']):\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        dpcore.cli.main(words)\n"
    )
    assert not loaded_by(code)


@pytest.mark.parametrize("module", ["dpcore.infer", "dpcore_serialization.dp"])
def test_no_framework_is_loaded_before_it_is_asked_for(module):
    assert not set(loaded_by(f"import {module}")) & FRAMEWORKS


def test_the_reference_loads_no_framework():
    found = loaded_by("from dpcore.registry import backend; backend('numpy').version()")
    assert "numpy" in found
    assert not set(found) & FRAMEWORKS
