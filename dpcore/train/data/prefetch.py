"""What is made ahead, by a thread of its own."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

# Seconds after which a thread that waits looks whether it is to end.
_LOOK = 0.2


class Prefetch(Iterator[T], Generic[T]):
    """Make things before they are asked for.

    Args:
        make: makes the next thing.
        ahead: how many are kept ready at most.

    Attributes:
        waited: seconds that were spent waiting for things that were not ready.
    """

    def __init__(self, make: Callable[[], T], ahead: int = 2) -> None:
        self.waited = 0.0
        self._make = make
        self._ready: queue.Queue[T | BaseException] = queue.Queue(maxsize=ahead)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="data", daemon=True)
        self._thread.start()

    def __next__(self) -> T:
        """Return the next thing; what went wrong when it was made is raised here."""
        if self._ended.is_set():
            raise StopIteration
        begin = time.perf_counter()
        found = self._ready.get()
        self.waited += time.perf_counter() - begin
        if isinstance(found, BaseException):
            self.close()
            raise found
        return found

    def close(self) -> None:
        """End the thread; what it has made is lost."""
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                made: T | BaseException = self._make()
            except BaseException as error:  # noqa: BLE001  raised again where it is waited for
                made = error
            self._put(made)
            if isinstance(made, BaseException):
                return

    def _put(self, made: T | BaseException) -> None:
        while not self._ended.is_set():
            try:
                self._ready.put(made, timeout=_LOOK)
            except queue.Full:
                continue
            return
