"""``dp train``: train a model on any backend."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpcore.cli.backends import chosen_backend
from dpcore.cli.logs import say
from dpcore.errors import DPError, is_out_of_memory

if TYPE_CHECKING:
    from dpcore.backend.adapter import Adapter
    from dpcore.train.input import TrainInput
    from dpcore.train.start import Start
    from dpcore.train.workers import Workers

log = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  dp train input.json                             on the backend that is installed
  dp --backend NAME train input.json              on another one
  dp train input.json --restart model.ckpt        go on from the newest checkpoint, on any backend
  dp train input.json --init-model model.dp       begin with the parameters of a model
  dp train input.json --finetune model.dp         train a model for other data, perhaps other types
  torchrun --nproc_per_node 2 -m dpcore train input.json
                                                  in two processes, whatever the backend"""


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "train",
        help="train a model",
        description="Train a model as an input file in DeePMD-kit's form tells.",
        epilog=EXAMPLES,
        parents=parents,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("INPUT", help="the input file, JSON or YAML")
    _add_beginning(parser)
    parser.add_argument(
        "-o",
        "--output",
        default="out.json",
        metavar="FILE",
        help="where the input is written with all defaults filled in (default: %(default)s)",
    )
    parser.add_argument(
        "--skip-neighbor-stat",
        action="store_true",
        help="do not look through the data for the most neighbours and the closest atoms first",
    )
    parser.add_argument(
        "--device", metavar="NAME", help="where to compute (default: the backend's choice)"
    )


def _add_beginning(parser: argparse.ArgumentParser) -> None:
    """Add what a run begins with."""
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "-r",
        "--restart",
        metavar="CHECKPOINT",
        help="continue a run: a checkpoint, or what the names of its checkpoints begin with",
    )
    one.add_argument(
        "-i",
        "--init-model",
        metavar="MODEL",
        help="begin with the parameters of a model or a checkpoint",
    )
    one.add_argument(
        "-f",
        "--init-frz-model",
        metavar="MODEL",
        help="the same: here checkpoints and frozen models are one kind of file",
    )
    one.add_argument(
        "-t",
        "--finetune",
        metavar="MODEL",
        help="begin with the parameters of a model that was trained on other data, perhaps for other types, and "
        "fit its output bias to the data of the input",
    )
    parser.add_argument(
        "--model-branch",
        metavar="NAME",
        help="with --finetune: the branch of a multi-task model that is begun with, or RANDOM for a new fitting",
    )
    parser.add_argument(
        "--use-pretrain-script",
        action="store_true",
        help="with --finetune: descriptor and fitting have the settings of the model, whatever the input says",
    )
    parser.add_argument(
        "--force-load",
        action="store_true",
        help="with --init-model or --finetune: parameters that the model lacks begin anew; without it they are an "
        "error",
    )


def run(args: argparse.Namespace) -> int:
    """Train a model.

    Raises:
        DPError: an input, data or files that do not fit each other.
    """
    from dpcore.settings.read import read_input
    from dpcore.train.beginning import with_script
    from dpcore.train.checkpoints import newest
    from dpcore.train.start import Start
    from dpcore.train.workers import Place, meet

    told = read_input(args.INPUT)
    adapter = _adapter(args)
    place = Place.from_environment()
    model = args.init_frz_model if args.init_model is None else args.init_model
    start = Start(
        restart=None if args.restart is None else newest(args.restart),
        model=None if model is None else newest(model),
        finetune=None if args.finetune is None else newest(args.finetune),
        head=args.model_branch,
        script=args.use_pretrain_script,
        count=not args.skip_neighbor_stat,
        force=args.force_load,
    )
    told, start = with_script(told, start), replace(start, script=False)
    workers = meet(adapter, place, args.device)
    if place.rank == 0:
        _write_inputs(told, Path(args.output))
    else:  # what the others find is the same
        logging.getLogger("dpcore").setLevel(logging.ERROR)
    try:
        return _train(told, adapter, args.device, start, workers)
    except Exception as error:
        if isinstance(error, DPError) or not is_out_of_memory(error):
            raise
        text = " ".join(str(error).split()) or "no details"
        raise DPError(
            f"out of memory ({text}): the frames of a step do not fit; lower training_data.batch_size, or rcut and "
            "sel of the descriptor"
        ) from error


def _train(
    told: "TrainInput", adapter: "Adapter", device: str | None, start: "Start", workers: "Workers"
) -> int:
    """Take all steps, and return the exit code."""
    from dpcore.train.loop import Interrupted
    from dpcore.train.run import prepare

    training = prepare(told, adapter, device, start, workers)
    _say_what(training, adapter)
    try:
        training.go()
    except Interrupted as stopped:
        log.warning("%s; %s", stopped, training.summary)
        return 128 + stopped.signal
    if workers.place.rank == 0:
        log.info("%s", training.summary)
        say(f"{training.newest}")
    return 0


def _adapter(args: argparse.Namespace) -> Any:
    """Return the backend that was named, or the one that trains where none is."""
    from dpcore.registry import backend, training_backend

    named = chosen_backend(args)
    return training_backend() if named is None else backend(named)


def _write_inputs(told: "TrainInput", output: Path) -> None:
    """Write the input with its defaults, and in today's form if it is of an older one."""
    import json

    for note in told.notes:
        log.warning(note)
    output.write_text(json.dumps(told.settings, indent=2) + "\n", encoding="utf-8")
    if told.converted is not None:
        converted = Path("input_v2_compat.json")
        converted.write_text(json.dumps(told.converted, indent=2) + "\n", encoding="utf-8")
        log.info("the input is of an older form; %s has it in today's", converted)


def _say_what(training: Any, adapter: Any) -> None:
    """Say what is trained on what, where."""
    loop = training.loop
    data = [subject.training for subject in training.subjects]
    log.info(
        "%s %s on %s: %d parameters, %d frames of %d systems, %d steps",
        adapter.name,
        adapter.version(),
        "cpu" if loop.device is None else loop.device,
        loop.layout.length,
        sum(each.nframes for each in data),
        sum(len(each.sources) for each in data),
        loop.rhythm.steps,
    )
    for task in loop.tasks if training.told.several else ():
        log.info("branch %s: %.3g of the steps", task.name, task.chance)
