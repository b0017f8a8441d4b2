"""The directive ``dp``: a command that runs while the page is built, shown with what it printed."""

# docutils comes without annotations:
# mypy: disable-error-code="import-untyped"

import os
import shlex
import subprocess
import sys
from typing import ClassVar

import playground
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.docutils import SphinxDirective

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "COLUMNS": "88", "NO_COLOR": "1"}


class RunDirective(SphinxDirective):
    """Run ``dp`` with the given words in the example's folder.

    Options: ``exit``, the exit code that is expected (0); ``lines``, how many lines to show.
    """

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {
        "exit": directives.nonnegative_int,
        "lines": directives.nonnegative_int,
    }

    def run(self) -> list[nodes.Node]:
        """Return the command and its output as a literal block."""
        if self.env.app.builder.name == "doctest":
            return []
        words = " ".join(self.arguments[0].split())
        lines = run(words, self.options.get("exit", 0))
        longest = self.options.get("lines", len(lines))
        if len(lines) > longest:
            lines = [*lines[:longest], "..."]
        text = "\n".join([f"$ dp {words}", *lines])
        block = nodes.literal_block(text, text, language="text")
        return [block]


def run(words: str, expected: int) -> list[str]:
    """Return the lines that a command prints, messages first.

    Raises:
        SphinxError: it ends with another exit code than the expected one.
    """
    done = subprocess.run(  # noqa: S603  # the commands are written in the pages
        [sys.executable, "-m", "dpcore", *shlex.split(words)],
        cwd=playground.folder(),
        env=os.environ | _QUIET,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != expected:
        raise SphinxError(f"dp {words}: exit code {done.returncode}: {done.stderr[-2000:]}")
    # Frameworks write to stderr what readers did not ask for.
    said = [line for line in done.stderr.splitlines() if line.startswith("dp: ")]
    return said + [line.rstrip() for line in done.stdout.splitlines()]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("dp", RunDirective)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
