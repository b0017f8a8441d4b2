"""``dp test``: errors of a model on labelled data."""

import argparse
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dpcore.cli.backends import chosen_backend
from dpcore.cli.files import find_model
from dpcore.cli.logs import say
from dpcore.cli.options import add_head, add_systems, count
from dpcore.errors import DPError

if TYPE_CHECKING:
    from dpcore.accuracy import SystemErrors
    from dpcore.data import System
    from dpcore.infer import DeepEval

log = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  dp test -m model.dp -s data/water            all systems at or below a folder
  dp test -m model.dp -s data/water -n 30      the first 30 frames of each
  dp test -m model.dp -f systems.txt -d detail every label and prediction in detail.e.out, ...
  dp test -m model.dp --valid-data input.json  the validation data of a training input

Energies are in eV, forces in eV/Å, virials in eV, stresses in eV/Å^3. Dipoles, polarizabilities and other
properties are in the units of their labels."""

RULE = "# ----------------------------------------------- "


def add_parser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "test",
        help="test a model on labelled data",
        description="Compare a model's predictions with labelled data.",
        epilog=EXAMPLES,
        parents=parents,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_model_options(parser)
    _add_data_options(parser)
    parser.add_argument(
        "-d",
        "--detail-file",
        metavar="PREFIX",
        help="write labels and predictions to PREFIX.e.out, .e_peratom.out, .f.out, .v.out, "
        ".v_peratom.out, .s.out and, with --atomic, .ae.out; of spins .fr.out and .fm.out; of tensors "
        "PREFIX.out; .dos.out.FRAME, .ados.out.FRAME, .property.out.FRAME, .aproperty.out.FRAME",
    )
    parser.add_argument(
        "-a",
        "--atomic",
        action="store_true",
        help="test what is predicted of atoms too (atom_ener.npy, atom_dos.npy, ...); of tensors test that "
        "instead (atomic_dipole.npy, atomic_polarizability.npy)",
    )


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m",
        "--model",
        default="frozen_model",
        metavar="FILE",
        help="the model file, its suffix may be left out (default: %(default)s)",
    )
    add_head(parser)
    parser.add_argument(
        "--device", metavar="NAME", help="where to compute (default: the backend's choice)"
    )
    parser.add_argument(
        "--dtype",
        choices=["float64", "float32"],
        help="precision of the computation (default: that of the model)",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="evaluate the embedding networks themselves, not tables that agree with them to rounding",
    )


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    one = add_systems(parser)
    one.add_argument(
        "--train-data", metavar="FILE", help="a training input, to test on its training data"
    )
    one.add_argument(
        "--valid-data", metavar="FILE", help="a training input, to test on its validation data"
    )
    parser.add_argument("-S", "--set-prefix", metavar="PREFIX", help=argparse.SUPPRESS)
    parser.add_argument(
        "-n",
        "--numb-test",
        type=count,
        default=0,
        metavar="N",
        help="frames to test in each system (default: 0, all)",
    )
    parser.add_argument(
        "--shuffle-test", action="store_true", help="take the frames in random order"
    )
    parser.add_argument(
        "-r", "--rand-seed", type=count, metavar="SEED", help="seed of that random order"
    )


def run(args: argparse.Namespace) -> int:
    """Test a model and print its errors.

    Raises:
        DPError: a model or data that cannot be read or do not fit, or no system with labels.
    """
    from dpcore.accuracy import DetailFiles, report, weighted_average

    _check(args)
    paths = _systems(args)
    details = DetailFiles(args.detail_file) if args.detail_file else None
    model = _load(args)
    tested = []
    for system in _frames(args, paths, model.get_type_map()):
        errors = _test(model, system, details, atomic=args.atomic)
        tested += [errors] if errors.errors else []
    if not tested:
        raise DPError(
            "none of the systems has a label, so that nothing was tested; add energy.npy or others"
        )
    if len(tested) < len(paths):
        log.warning("%d of %d systems were skipped", len(paths) - len(tested), len(paths))
    say("# ----------weighted average of errors----------- ")
    say(f"# number of systems : {len(tested)}")
    _say_all(report(weighted_average(tested)))
    say(RULE)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.set_prefix is not None:
        log.warning("--set-prefix is deprecated and has no effect: every set.* is tested")


def _systems(args: argparse.Namespace) -> list[str]:
    from dpcore.data import find_systems, systems_from_datafile, systems_from_input

    if args.train_data is not None:
        return systems_from_input(args.train_data, "training_data")
    if args.valid_data is not None:
        return systems_from_input(args.valid_data, "validation_data")
    if args.datafile is not None:
        return systems_from_datafile(args.datafile)
    return find_systems(args.system)


def _load(args: argparse.Namespace) -> "DeepEval":
    from dpcore.infer import DeepEval

    path = find_model(args.model)
    tables = False if args.exact else None
    model = DeepEval(
        path, chosen_backend(args), args.device, dtype=args.dtype, tables=tables, head=args.head
    )
    engine = model.engine
    log.info("%s on %s %s (%s)", path, engine.backend, engine.version, engine.device)
    return model


def _frames(args: argparse.Namespace, paths: list[str], type_map: list[str]) -> "Iterator[System]":
    import numpy as np

    from dpcore.accuracy import choose_frames
    from dpcore.data import load_system

    random = np.random.default_rng(args.rand_seed) if args.shuffle_test else None
    for path in paths:
        yield choose_frames(load_system(path, type_map), args.numb_test, random)


def _test(model: "DeepEval", system: "System", details: Any, *, atomic: bool) -> "SystemErrors":
    from dpcore.accuracy import report, system_errors

    say("# ---------------output of dp test--------------- ")
    say(f"# testing system : {system.path}")
    tested = system_errors(model, system, atomic=atomic, details=details)
    if tested.errors:
        say(f"# number of test data : {tested.nframes} ")
    _say_all(report(tested.errors))
    for name in tested.missing:
        say(f"# no {name} label")
    say(RULE)
    return tested


def _say_all(lines: list[str]) -> None:
    for line in lines:
        say(line)
