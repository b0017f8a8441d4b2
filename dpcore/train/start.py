"""Where a run is told to begin."""

from dataclasses import dataclass
from pathlib import Path

from dpcore.errors import DPError


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    Attributes:
        restart: a checkpoint to continue, parameters, optimizer, data and all.
        model: a model file whose parameters are taken.
        finetune: a model file that is trained for other data, perhaps other types.
        head: the branch of that model to begin with; ``RANDOM`` for a new fitting.
        script: whether the settings of that model take the place of those of the input.
        count: whether neighbours are counted first.
        force: whether parameters that the model lacks begin anew.
    """

    restart: Path | None = None
    model: Path | None = None
    finetune: Path | None = None
    head: str | None = None
    script: bool = False
    count: bool = True
    force: bool = False

    def __post_init__(self) -> None:
        if self.force and self.finetune is None and self.model is None:
            raise DPError("--force-load: is for --init-model and --finetune; leave it out")
        for option, used in (("--model-branch", self.head), ("--use-pretrain-script", self.script)):
            if used and self.finetune is None:
                raise DPError(f"{option}: is for --finetune; leave it out")
