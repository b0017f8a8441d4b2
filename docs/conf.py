"""How the documentation is built: `sphinx-build -W -b html docs docs/_build/html`, without a network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import dpcore

project = "dpcore"
author = "The dpcore authors"
copyright = author  # noqa: A001  # Sphinx's name for it
version = release = dpcore.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "api",
    "commands",
    "mathml",
    "tables",
]
exclude_patterns = ["_build", "_ext", "_generated"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 88

doctest_global_setup = "import playground; playground.enter()"
doctest_test_doctest_blocks = ""

html_theme = "furo"
html_title = f"dpcore {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_theme_options = {"navigation_with_keys": True}
html_show_sourcelink = False
html_copy_source = False
