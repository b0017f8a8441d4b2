"""The sections ``training`` and ``validating`` of an input file, and what a model section says of training."""

from typing import ClassVar, Literal

from dpcore.errors import DPError
from dpcore.settings.checks import Refused
from dpcore.settings.fields import limited, unset
from dpcore.train.rules import check_batch_size, check_probabilities
from dpcore.tree import Settings, setting

_SYSTEMS = (
    "folders of systems, or folders in which they are searched, or patterns such as data/*/water; "
    "LMDB data sets end in .lmdb"
)
_BATCH = (
    "frames of a step: a number, or one for each system; auto or auto:N: so many that they have at least N "
    "atoms (32); max:N: so many that they have at most N atoms, 1 at least; filter:N: the same without systems "
    "of more than N atoms; mixed:N: N frames of any systems; mix:N: frames of any systems, as many as "
    "have N atoms together"
)
_CHANCE = (
    "how often a system is drawn: prob_uniform: all alike; prob_sys_size: as often as it has batches; "
    "prob_sys_size;i:j:w;…: systems i to j - 1 share the weight w, as often as they have batches"
)


class SystemsSettings(Settings):
    """What the sections ``training_data`` and ``validation_data`` share."""

    section: ClassVar[str] = ""

    systems: str | tuple[str, ...] = setting(doc=_SYSTEMS)
    fmt: str | None = unset(
        doc="format of the systems where they are not DeePMD-kit's, by its name in dpdata or ASE"
    )
    rglob_patterns: tuple[str, ...] | None = setting(
        default=None, doc="patterns of the systems that are searched in the folders"
    )
    batch_size: int | tuple[int, ...] | str = setting(default="auto", doc=_BATCH)
    auto_prob: str = setting(default="prob_sys_size", doc=_CHANCE, aliases=("auto_prob_style",))
    sys_probs: tuple[float, ...] | None = setting(
        default=None,
        doc="how often each system is drawn, in place of auto_prob; those below 0 share what is left to 1",
        aliases=("sys_weights",),
    )

    def __post_init__(self) -> None:
        check_batch_size(self.batch_size, f"{self.section}.batch_size")
        check_probabilities(self.auto_prob, self.sys_probs, self.section)
        if not self.systems:
            raise DPError(f"{self.section}.systems: none; name a folder at least")
        if self.batch_size == ():
            raise DPError(
                f"{self.section}.batch_size: an empty list; give a number for each system"
            )


class TrainingData(SystemsSettings):
    """The section ``training_data``."""

    section: ClassVar[str] = "training_data"

    min_pair_dist: float = setting(
        default=0.0, doc="frames with atoms closer than this are left out, Å; 0 for all frames"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, self.section, min_pair_dist=0)


class ValidationData(SystemsSettings):
    """The section ``validation_data``."""

    section: ClassVar[str] = "validation_data"

    numb_btch: int = setting(
        default=1,
        doc="batches that a line of the learning curve is the mean of",
        aliases=("numb_batch",),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, self.section, numb_btch=1)


class DataSettings(Settings):
    """What a model is trained on: keys of ``training``, or of a section of ``data_dict``."""

    training_data: TrainingData = setting(doc="what is trained on")
    validation_data: ValidationData | None = setting(
        default=None, doc="what errors are shown of besides"
    )
    stat_file: str | None = unset(
        doc="where statistics of the data are kept, and taken from the next time: an HDF5 file (.h5, .hdf5) "
        "or a folder"
    )
    stat_file_mode: Literal["update", "read"] = setting(
        default="update",
        doc="update: write missing statistics to stat_file; read: they have to be there",
    )

    def __post_init__(self) -> None:
        if self.stat_file_mode == "read" and not self.stat_file:
            raise DPError(
                "stat_file_mode: 'read' needs a stat_file; name the file, or leave it out"
            )


class MixedPrecision(Settings):
    """The section ``mixed_precision``."""

    compute_prec: Literal["float16", "bfloat16", "float32"] = setting(
        default="float16", doc="precision of the products in the networks"
    )
    output_prec: Literal["float32", "float64"] = setting(
        default="float32",
        doc="precision of the parameters and of what the networks give, in place of every precision",
    )


class TrainingSettings(Settings):
    """The section ``training`` without its data."""

    numb_steps: int | None = unset(
        doc="number of steps; this or numb_epoch is needed",
        aliases=("stop_batch", "num_step", "num_steps", "numb_step"),
    )
    numb_epoch: float | None = unset(
        doc="how often all frames are seen, by expectation, in place of numb_steps",
        aliases=("num_epochs", "num_epoch", "numb_epochs"),
    )
    seed: int | None = unset(
        doc="seed of what is drawn from the data, and of networks that have none of their own"
    )
    mixed_precision: MixedPrecision | None = unset(
        doc="compute in a lower precision than parameters are kept in"
    )
    disp_file: str = setting(default="lcurve.out", doc="file of the learning curve")
    disp_freq: int = setting(default=1000, doc="steps between lines of the learning curve")
    disp_training: bool = setting(default=True, doc="whether there is a learning curve at all")
    disp_avg: bool = setting(
        default=False, doc="show training errors averaged over the steps since the last line"
    )
    time_training: bool = setting(default=True, doc="whether the time of steps is shown")
    save_freq: int = setting(default=1000, doc="steps between checkpoints")
    save_ckpt: str = setting(default="model.ckpt", doc="beginning of the names of checkpoints")
    save_dir: str | None = setting(
        default=None, doc="folder of the checkpoints; by default the one training runs in"
    )
    max_ckpt_keep: int = setting(default=5, doc="how many checkpoints are kept, the latest")
    ckpt_keep_ratio: float | None = setting(
        default=None,
        doc="which part of the run has its checkpoints kept, between 0 and 1, in place of the keys that count",
    )
    enable_ema: bool = setting(
        default=False,
        doc="average the parameters over the steps, and write checkpoints (_ema) of that too",
    )
    ema_decay: float = setting(
        default=0.999, doc="part of the average that a step keeps; the rest is the parameters then"
    )
    ema_ckpt_keep: int | None = setting(
        default=None, doc="how many checkpoints of the average are kept; by default max_ckpt_keep"
    )
    change_bias_after_training: bool = setting(
        default=False, doc="fit the output bias once more after the last step"
    )
    gradient_max_norm: float | None = unset(
        doc="largest norm of the gradient; larger ones are scaled down to it; 0 for none"
    )
    acc_freq: int = setting(
        default=1, doc="batches whose gradients are averaged before the parameters change"
    )
    profiling: bool = setting(default=False, doc="write what takes how long to profiling_file")
    profiling_file: str = setting(default="timeline.json", doc="Chrome trace that profiling writes")
    enable_profiler: bool = setting(
        default=False, doc="write the profile of the backend's own profiler to tensorboard_log_dir"
    )
    tensorboard: bool = setting(default=False, doc="write errors and learning rate for TensorBoard")
    tensorboard_log_dir: str = setting(default="log", doc="folder that TensorBoard reads")
    tensorboard_freq: int = setting(default=1, doc="steps between points in TensorBoard")
    enable_compile: bool = setting(
        default=False, doc="compile steps on backends that compile on request; the others always do"
    )
    enable_tf32: bool = setting(
        default=False, doc="without effect: float32 products are computed in float32"
    )
    zero_stage: int = limited(
        0,
        doc="what is divided among the devices; every device has all optimizer states, for 0 and 1 alike",
        check=Refused(
            "gradients and parameters are not divided among devices; choose 0 or 1", (0, 1)
        ),
    )
    neighbor_graph_method: Literal["auto", "dense", "nv"] = setting(
        default="auto", doc="without effect: neighbours do not depend on how they are searched"
    )

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("disp_freq", "save_freq", "max_ckpt_keep", "acc_freq"), 1)
        _at_least(self, "training", **counts, tensorboard_freq=1, ema_ckpt_keep=1)
        _at_least(self, "training", numb_steps=0, gradient_max_norm=0, seed=0)
        if self.save_ckpt.rpartition("/")[2] in {"", ".", ".."}:
            raise DPError(
                f"training.save_ckpt: {self.save_ckpt!r} names no file; names of checkpoints begin with it"
            )
        if self.numb_epoch is not None and self.numb_epoch <= 0:
            raise DPError(f"training.numb_epoch: {self.numb_epoch} must be above 0")
        if not 0 <= self.ema_decay < 1:
            raise DPError(f"training.ema_decay: {self.ema_decay} must lie from 0 to below 1")
        if self.ckpt_keep_ratio is not None and not 0 < self.ckpt_keep_ratio < 1:
            raise DPError(
                f"training.ckpt_keep_ratio: {self.ckpt_keep_ratio} must lie between 0 and 1"
            )


class ValidatingSettings(Settings):
    """The section ``validating``."""

    full_validation: bool = setting(
        default=False, doc="evaluate all of validation_data now and then, and keep the best model"
    )
    ema_full_validation: bool = setting(
        default=False, doc="the same of the averaged parameters, which needs training.enable_ema"
    )
    validation_freq: int = setting(default=5000, doc="steps between evaluations")
    save_best: bool = setting(default=True, doc="write a checkpoint of the best model")
    save_best_dir: str | None = setting(
        default=None, doc="folder of that; by default that of save_ckpt"
    )
    max_best_ckpt: int = setting(default=1, doc="how many of the best models are kept")
    validation_metric: str = setting(
        default="E:MAE",
        doc="error that the best model has least of: MAE or RMSE of E, F, V or S, with spins FR and FM in "
        "place of F; energies and virials by atom, S is the stress",
    )
    full_val_file: str = setting(default="val.log", doc="file of the errors")
    full_val_start: float = setting(
        default=0.5,
        doc="when it begins: 0 at once, below 1 a part of all steps, 1 never, above 1 a step",
    )
    compiled_infer: bool = setting(
        default=False, doc="without effect: evaluations are compiled where steps are"
    )
    tf32_infer: bool = setting(
        default=False, doc="without effect: float32 products are computed in float32"
    )
    amp_infer: bool = setting(
        default=False, doc="without effect: evaluations are in the precision of the model"
    )

    def __post_init__(self) -> None:
        _at_least(self, "validating", validation_freq=1, max_best_ckpt=1, full_val_start=0)
        quantity, _, kind = self.validation_metric.strip().upper().partition(":")
        if quantity not in {"E", "F", "FR", "FM", "V", "S"} or kind not in {"MAE", "RMSE"}:
            raise DPError(
                f"validating.validation_metric: {self.validation_metric!r} is unknown; it is MAE or RMSE of "
                "E, F, FR, FM, V or S, such as 'F:RMSE'"
            )


class StatisticsSettings(Settings):
    """What a model section says of the statistics of the data."""

    data_stat_nbatch: int = setting(
        default=10, doc="batches of each system that averages and deviations are taken of"
    )
    data_stat_protect: float = setting(
        default=0.01, doc="least deviation that parameters of frames and atoms are divided by"
    )
    data_bias_nsample: int = setting(
        default=10, doc="frames of each system that the output bias is fitted to when it is changed"
    )

    def __post_init__(self) -> None:
        _at_least(self, "model", data_stat_nbatch=1, data_stat_protect=0, data_bias_nsample=1)


class LowRankSettings(Settings):
    """The section ``lora``."""

    rank: int = setting(doc="rank of the changes")
    alpha: float | None = setting(
        default=None, doc="factor of the changes times their rank; by default the rank"
    )

    def __post_init__(self) -> None:
        _at_least(self, "model.lora", rank=1)


class BranchSettings(Settings):
    """What a model section says of how the model is trained, and of the branch that it is."""

    lora: LowRankSettings | None = setting(
        default=None,
        doc="for the descriptor dpa4: large matrices change by products of thin ones alone, which the model "
        "in a checkpoint has added to them",
    )
    finetune_head: str | None = unset(
        doc="branch of the pretrained model that fine-tuning starts from; RANDOM for a new fitting"
    )
    model_branch_alias: tuple[str, ...] = setting(default=(), doc="other names of the branch")


def _at_least(section: Settings, where: str, **least: float) -> None:
    """Refuse numbers that are too small."""
    for key, value in least.items():
        found = getattr(section, key)
        if found is not None and not found >= value:
            raise DPError(f"{where}.{key}: {found} must be {value} or more")
