"""``dp change-bias``: another output bias for a model."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpcore.cli.backends import backend_options, chosen_backend
from dpcore.cli.files import check_target, find_model, origin
from dpcore.cli.logs import say
from dpcore.cli.options import add_head, add_systems, count
from dpcore.errors import DPError

if TYPE_CHECKING:
    import numpy as np

    from dpcore.models import Model
    from dpcore.train.data import Source
    from dpcore.train.statistics.change import Predict

log = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  dp change-bias model.dp -s data                      add what predictions lack on the data
  dp change-bias model.dp -s data -n 10 -m set         fit the labels of 10 frames of each system alone
  dp change-bias model.dp -b -93.57 -187.1 -o new.dp   set the energies of the types

'change' is for a model that is to be used on data of another origin: the shift of each type that brings its
predictions closest to the labels is added. 'set' takes the biases that fit the labels by themselves, as
training starts with."""

_MODES = {"change-by-statistic": "change", "set-by-statistic": "set"}
# Components of a bias that are printed one by one.
_FEW = 3


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    messages = parents[0]
    parser = subparsers.add_parser(
        "change-bias",
        help="fit the output bias of a model to data",
        description="Write a model with another output bias: fitted to data, or given.",
        epilog=EXAMPLES,
        # -b is for biases here.
        parents=[messages, backend_options(short=False)],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("INPUT", help="the model file, its suffix may be left out")
    one = add_systems(parser)
    one.add_argument(
        "-b",
        "--bias-value",
        nargs="+",
        type=float,
        metavar="E",
        help="the bias of each type of the model, eV, in place of fitting; for energies alone",
    )
    parser.add_argument(
        "-n",
        "--numb-batch",
        type=count,
        default=0,
        metavar="N",
        help="frames of each system to fit to, at equal distances (default: 0, all)",
    )
    parser.add_argument(
        "-m",
        "--mode",
        choices=["change", "set", *_MODES],
        default="change",
        help="change: fit what the model's predictions lack, and add it to the bias (default); set: fit the "
        "labels themselves",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the model file to write; an existing one is replaced (default: INPUT with _updated before its "
        "suffix)",
    )
    add_head(parser)


def run(args: argparse.Namespace) -> int:
    """Write a model with another bias, and print both biases.

    Raises:
        DPError: a model or data that cannot be read or do not fit, or a file that cannot be written.
    """
    from dpcore.infer.head import with_head, with_model_in
    from dpcore.registry import format_of
    from dpcore.train.statistics import bias_of, biased_types

    source = find_model(args.INPUT)
    target = Path(args.output or source.with_name(f"{source.stem}_updated{source.suffix}"))
    reader, writer = format_of(source), format_of(target)
    check_target(source, target)
    document = reader.read(source)
    model = with_head(document, args.head, source).model
    try:
        changed, entry = _changed(args, model, chosen_backend(args) or reader.backend)
    except DPError as error:
        raise DPError(f"{source}: {error}") from error
    made = origin(source, "change-bias") | entry
    history = [*document.provenance.get("history", ()), made]
    result = with_model_in(document, args.head, changed).with_provenance(history=history)
    writer.write(target, result)
    log.info("wrote %s from %s", target, source)
    _say_change(biased_types(changed), bias_of(model), bias_of(changed))
    return 0


def _changed(
    args: argparse.Namespace, model: "Model", backend: str
) -> tuple["Model", dict[str, Any]]:
    """Return the model with another bias, and what its history tells of that."""
    from dpcore.train.statistics import set_bias, shift_bias, with_bias

    if args.bias_value is not None:
        return with_bias(model, args.bias_value), {"mode": "given"}
    mode = _MODES.get(args.mode, args.mode)
    sources = _sources(args, model)

    def limit(_: object) -> int:
        return int(args.numb_batch)

    entry = {"mode": mode, "systems": len(sources), "frames": args.numb_batch or "all"}
    if mode == "set":
        return set_bias(model, sources, limit), entry
    return shift_bias(model, sources, _predictor(model, backend), limit), entry


def _sources(args: argparse.Namespace, model: "Model") -> "Sequence[Source]":
    """Open the systems, with the labels that the bias is fitted to."""
    from dpcore.data import find_systems, systems_from_datafile
    from dpcore.train.data import open_data
    from dpcore.train.settings import TrainingData
    from dpcore.train.statistics.labels import labels_of
    from dpcore.train.targets import Wanted

    listed = systems_from_datafile(args.datafile) if args.datafile else find_systems(args.system)
    total, atomic = labels_of(model.output)
    wanted = [Wanted(total, "frame"), *([Wanted(atomic, "atom")] if atomic else [])]
    where = args.datafile or args.system
    data = open_data(TrainingData(systems=tuple(listed)), model.type_map, wanted, where)
    return data.sources


def _predictor(model: "Model", name: str) -> "Predict":
    """Return what evaluates the model on a backend."""
    from dpcore.infer.engine import engines_of
    from dpcore.infer.whole import WholeEvaluator
    from dpcore.registry import backend

    whole = WholeEvaluator(model, engines_of(model, backend(name)))
    return lambda frames: whole.predict(frames, atomic=False)


def _say_change(names: Sequence[str], before: "np.ndarray", after: "np.ndarray") -> None:
    width = max(map(len, names))
    for name, old, new in zip(names, before, after, strict=True):
        say(f"bias of {name:<{width}} : {_numbers(old)} -> {_numbers(new)}")


def _numbers(values: "np.ndarray") -> str:
    some = " ".join(f"{x:.10g}" for x in values[:_FEW])
    return some if len(values) <= _FEW else f"{some} … ({len(values)} numbers)"
