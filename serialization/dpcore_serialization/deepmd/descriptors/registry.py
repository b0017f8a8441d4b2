"""The readers and writers of descriptors, by DeePMD-kit's type and by class."""

from collections.abc import Callable
from typing import Any

from dpcore.descriptors import Descriptor

READERS: dict[str, Callable[[Any, str], Descriptor]] = {}
WRITERS: dict[type[Descriptor], Callable[[Any, list[str]], dict[str, Any]]] = {}
