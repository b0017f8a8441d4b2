"""The attention-based descriptors DPA-1 and its second version."""

from typing import Any, Self

import numpy as np

from dpcore.descriptors.attended import AttendedDescriptor
from dpcore.descriptors.mixed import InputMode
from dpcore.errors import DPError
from dpcore.tree import setting


class SeAtten(InputMode, AttendedDescriptor, name="se_atten", aliases=("dpa1",)):
    """The attention-based descriptor DPA-1 (see :class:`AttendedDescriptor`).

    With s the radial part of a neighbour's row and A the features of the types, a neighbour j is embedded as
    ``G(s, A_j, A_i)`` (concat), or as ``G(s) (1 + F(A_j, A_i))`` (strip).
    """

    smooth_type_embedding: bool = setting(
        False,
        doc="switch attention, and the network of the types in strip mode, off towards the cutoff",
        aliases=("smooth_type_embdding",),
    )
    stripped_type_embedding: bool | None = setting(
        None, doc="deprecated: true for tebd_input_mode strip, false for concat"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        stripped = self.stripped_type_embedding
        if stripped is not None and stripped != self.strips(vars(self)):
            raise DPError(
                f"descriptor.stripped_type_embedding: {stripped}, but tebd_input_mode is "
                f"{self.tebd_input_mode!r}; leave it out"
            )

    @classmethod
    def create(
        cls, rng: np.random.Generator, *, type_map: tuple[str, ...], **settings: Any
    ) -> Self:
        """Draw a descriptor with random networks and neutral statistics."""
        stripped = settings.pop("stripped_type_embedding", None)
        if stripped is not None:
            settings["tebd_input_mode"] = "strip" if stripped else "concat"
        return super().create(rng, type_map=type_map, **settings)

    @property
    def smooth(self) -> bool:
        """Whether attention and the network of the types are switched off towards the cutoff."""
        return self.smooth_type_embedding


class SeAttenV2(AttendedDescriptor, name="se_atten_v2"):
    """DPA-1 in strip mode with everything switched off towards the cutoff."""

    set_davg_zero: bool = setting(False, doc="keep the mean of the environment rows at zero")
