"""The profiler of a backend, over some steps of a run."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from dpcore.backend.adapter import Adapter
from dpcore.errors import DPError

# Steps that pass before, so that nothing is compiled any more, and steps that are profiled.
_BEFORE, _LONG = 10, 5


class Profiler:
    """Profiles a few steps early in a run.

    Args:
        adapter: the backend.
        folder: where its profiler writes.
        first: steps that were taken before.
        steps: number of all steps.

    Raises:
        DPError: the backend has no profiler.
    """

    def __init__(self, adapter: Adapter, folder: Path, first: int, steps: int) -> None:
        profile: Callable[[Path], AbstractContextManager[Any]] | None = getattr(
            adapter, "profile", None
        )
        if profile is None:
            raise DPError(
                f"training.enable_profiler: the {adapter.name} backend has no profiler; leave it out, or set "
                "training.profiling"
            )
        self._profile, self._folder = profile, folder
        self._begin = first + min(_BEFORE, max(0, steps - first - _LONG))
        self._open = ExitStack()
        if self._begin == first:
            self._start()

    def __call__(self, step: int, progress: Any) -> None:  # noqa: ARG002  # of the time alone
        """Begin or end after a step, if that is due."""
        if step == self._begin:
            self._start()
        elif step == self._begin + _LONG:
            self.close()

    def close(self) -> None:
        """Write what was found."""
        self._open.close()

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._open.enter_context(self._profile(self._folder))
