"""``dp compress``: a model with tables in place of its embedding networks."""

import argparse
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpcore.cli.backends import chosen_backend
from dpcore.cli.files import check_target, find_model, origin, size_of, size_text
from dpcore.cli.logs import say
from dpcore.cli.options import add_head, count, positive
from dpcore.errors import DPError

if TYPE_CHECKING:
    from dpcore.compress import Compression
    from dpcore.data import System
    from dpcore.formats import Document
    from dpcore.fused.measure import Tables

log = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  dp compress -i model.dp -o model_c.dp                   tables that differ by rounding alone
  dp compress -i model.dp -o model_c.dp -d data/water     the same, and the errors on some frames
  dp compress -i model.dp -o model_c.dp --step 0.05       smaller tables that differ more

Without 'dp compress' models are evaluated by such tables as well, made when they are opened. It is for
files without the networks, and for tables that are coarser."""

SUFFIX = ".dp"


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "compress",
        help="replace the embedding networks of a model by tables",
        description="Write a model file that has tables in place of the embedding networks.",
        epilog=EXAMPLES,
        parents=parents,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-i",
        "--input",
        default="frozen_model",
        metavar="FILE",
        help="the model file, its suffix may be left out (default: %(default)s)",
    )
    parser.add_argument(
        "-o",
        "--output",
        default="frozen_model_compressed",
        metavar="FILE",
        help=f"the model file to write, {SUFFIX} if it has no suffix; an existing one is replaced "
        "(default: %(default)s)",
    )
    _add_table_options(parser)
    _add_data_options(parser)
    _add_options_without_effect(parser)


def _add_table_options(parser: argparse.ArgumentParser) -> None:
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "-s",
        "--step",
        type=positive,
        metavar="STEP",
        help="stride of the first tables, in units of the normalised scalar; the second tables have 10 "
        "times that (default: as small as it takes for --tolerance)",
    )
    one.add_argument(
        "--tolerance",
        type=positive,
        default=1e-14,
        metavar="T",
        help="largest error of the first tables between their knots, relative to the largest value "
        "(default: %(default)s, which is rounding)",
    )
    parser.add_argument(
        "-e",
        "--extrapolate",
        type=positive,
        default=5.0,
        metavar="E",
        help="where the second tables end, in upper ends of the first (default: %(default)g)",
    )


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-t",
        "--training-script",
        metavar="FILE",
        help="the training input: the first tables reach down to the shortest distance in its training "
        "data (default: the one that the model file tells, else that in --data, else 0.5 Å)",
    )
    parser.add_argument(
        "-d",
        "--data",
        metavar="PATH",
        help="a system, or a folder of systems, on which to compare what is predicted with the original "
        "model's predictions",
    )
    parser.add_argument(
        "-n",
        "--numb-test",
        type=count,
        default=0,
        metavar="N",
        help="frames to compare in each system of --data (default: 0, all)",
    )


def _add_options_without_effect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f",
        "--frequency",
        metavar="N",
        help="accepted for DeePMD-kit's sake: every evaluation looks for neighbours beyond the tables",
    )
    parser.add_argument(
        "-c",
        "--checkpoint-folder",
        metavar="FOLDER",
        help="accepted for DeePMD-kit's sake: nothing is trained, so there are no checkpoints",
    )
    add_head(parser)


def run(args: argparse.Namespace) -> int:
    """Compress a model, print how its tables differ, and compare it on data.

    Raises:
        DPError: a model or data that cannot be read or do not fit, a model that is compressed already, a
            network that no table comes near, or a file that cannot be written.
    """
    from dpcore.data import find_systems
    from dpcore.infer.head import with_head
    from dpcore.registry import format_of

    _tell_what_has_no_effect(args)
    source, target = find_model(args.input), _with_suffix(args.output)
    reader, writer = format_of(source), format_of(target)
    check_target(source, target)
    document = with_head(reader.read(source), args.head, source)
    data = find_systems(args.data) if args.data else []
    compression = _compressed(args, source, document, data)
    entry = origin(source, "compress") | _record(args, compression)
    history = [*document.provenance.get("history", ()), entry]
    result = replace(document, model=compression.model).with_provenance(history=history)
    writer.write(target, result)
    log.info("wrote %s from %s", target, source)
    _say_sizes(source, target)
    _say_tables(compression)
    if data:
        name = chosen_backend(args) or reader.backend
        _say_deviations(name, document, result, _frames(data, document, args.numb_test))
    return 0


def _tell_what_has_no_effect(args: argparse.Namespace) -> None:
    if args.frequency is not None:
        log.info(
            "--frequency has no effect: every evaluation looks for neighbours beyond the tables"
        )
    if args.checkpoint_folder is not None:
        log.info(
            "--checkpoint-folder has no effect: nothing is trained, so there are no checkpoints"
        )


def _with_suffix(name: str) -> Path:
    return Path(name if Path(name).suffix else f"{name}{SUFFIX}")


def _compressed(
    args: argparse.Namespace, source: Path, document: "Document", data: Sequence[str]
) -> "Compression":
    from dpcore.compress import compress, is_compressed

    model, known = document.model, document.provenance.get("min_nbor_dist")
    if is_compressed(model):
        raise DPError(f"{source}: is compressed already; compress the model that it was made from")
    shortest = _shortest(args, model.rcut, data, known)
    try:
        return compress(
            model,
            shortest=shortest,
            step=args.step,
            extrapolate=args.extrapolate,
            tolerance=args.tolerance,
        )
    except DPError as error:
        raise DPError(f"{source}: {error}") from error


def _shortest(
    args: argparse.Namespace, rcut: float, data: Sequence[str], known: float | None
) -> float:
    """Return how far down the first tables reach, Å."""
    from dpcore.data import load_system, systems_from_input
    from dpcore.data.distances import shortest_distance
    from dpcore.descriptors.local import SHORTEST

    if args.training_script is not None:
        data = systems_from_input(args.training_script, "training_data")
    elif known:
        return known
    return shortest_distance(map(load_system, data), rcut) or SHORTEST


def _record(args: argparse.Namespace, compression: "Compression") -> dict[str, Any]:
    """Return what the history of the model tells beside the file that it was made from."""
    found = {"first": compression.first, "second": compression.second}
    return {
        "step": args.step,
        "tolerance": args.tolerance if args.step is None else None,
        "extrapolate": args.extrapolate,
        "shortest": compression.shortest,
        "reach": compression.reach,
        **{name: None if tables is None else asdict(tables) for name, tables in found.items()},
    }


def _say_sizes(source: Path, target: Path) -> None:
    before, after = (size_text(size_of(path)) for path in (source, target))
    say(f"before       : {source}, {before}")
    say(f"after        : {target}, {after}")


def _say_tables(compression: "Compression") -> None:
    _say_segment("first", compression.shortest, compression.first)
    if compression.second is not None:
        _say_segment("second", compression.reach, compression.second)


def _say_segment(name: str, reach: float, tables: "Tables") -> None:
    low, high = (f"{choose(tables.strides):.3g}" for choose in (min, max))
    stride = low if low == high else f"{low} to {high}"
    size = f"{tables.knots:,} knots, {size_text(tables.nbytes)}"
    say(f"{f'{name} tables':<13}: down to {reach:.3g} Å, stride {stride}, {size}")
    say(
        f"{'':<15}largest error {tables.value_error:.1e} of the largest value, "
        f"{tables.slope_error:.1e} of the largest slope"
    )


def _frames(data: Sequence[str], document: "Document", limit: int) -> "Iterator[System]":
    from dpcore.accuracy import choose_frames
    from dpcore.data import load_system

    for path in data:
        yield choose_frames(load_system(path, document.model.type_map), limit, None)


def _say_deviations(
    name: str, original: "Document", compressed: "Document", systems: "Iterable[System]"
) -> None:
    from dpcore.accuracy.deviation import deviation_lines, deviations
    from dpcore.infer import DeepEval
    from dpcore.registry import backend

    adapter = backend(name)
    model = DeepEval.from_document(compressed, adapter)
    reference = DeepEval.from_document(original, adapter, tables=False)
    say(f"compressed against original, on {adapter.name}:")
    for line in deviation_lines(deviations(model, reference, systems)):
        say(f"  {line}")
