"""The whole comparison, from files to results."""

import datetime as dt
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.vs_deepmd.contestants import (
    Contestant,
    our_contestants,
    peer_contestant,
    peer_entry,
    selected,
)
from benchmarks.vs_deepmd.examples import EXAMPLES
from benchmarks.vs_deepmd.flops import work
from benchmarks.vs_deepmd.machine import busy, command_seconds, describe_machine, faster
from benchmarks.vs_deepmd.peer import COMPRESSIBLE, SUFFIXES, Peer, write_script
from benchmarks.vs_deepmd.process import Failure, environment
from benchmarks.vs_deepmd.results import (
    COMPRESSED,
    OURS,
    PLAIN,
    THEIRS,
    Comparison,
    Machine,
    Remark,
    Size,
    write_comparison,
)
from benchmarks.vs_deepmd.tournament import Rules, Tournament
from benchmarks.vs_deepmd.water import (
    copies,
    draw_model,
    mean_neighbours,
    read_cell,
    save_frame,
    save_system,
    settings,
    water_cell,
    write_model,
)
from dpcore.frames import Frame
from dpcore.models import StandardModel

Say = Callable[[str], None]

HELPS = 5
"""How often the help of each program is timed."""
TRAINING_FRAMES = 16
QUIET = 0.05
"""Share of the machine that others may take without a remark."""


@dataclass(frozen=True)
class Plan:
    """What is to be compared.

    Attributes:
        peer_python: interpreter that has DeePMD-kit; None to measure dpcore alone.
        sizes: numbers of atoms.
        backends: of dpcore.
        patterns: names of the contestants, as for a shell; all without any.
        rules: how it is measured.
        frame: a system of water to take the frame from; None for the generated one.
        descriptor: the kind of descriptor of the model.
        type_one_side: a setting of the model.
        out: folder for everything that is written.
    """

    peer_python: str | None
    sizes: tuple[int, ...]
    backends: tuple[str, ...]
    patterns: tuple[str, ...]
    rules: Rules
    frame: str | None
    descriptor: str
    type_one_side: bool
    out: Path


@dataclass(frozen=True)
class _Task:
    """The model, its files and who evaluates them."""

    cell: Frame
    model: StandardModel
    words: str
    contestants: list[Contestant]
    remarks: list[Remark]


def compare(plan: Plan, say: Say) -> Comparison:
    """Measure everything; what is found so far is in `results.json` after each size.

    Args:
        plan: what to compare.
        say: told about progress.

    Raises:
        Failure: there is nothing that can be measured.
        DPError: the frame cannot be read.
    """
    for name in ("frames", "logs", "models"):
        (plan.out / name).mkdir(parents=True, exist_ok=True)
    task = _prepare(plan, say)
    machine = _machine(plan)
    say(f"matrix products: {machine.speed['float64']:.0f} GFLOP/s in float64")
    commands = _commands(plan, task.remarks)
    sizes: list[Size] = []
    with Tournament(task.contestants, plan.rules, plan.out / "logs", say) as tournament:
        tournament.start()
        for atoms in sorted(plan.sizes):
            _mind_others(atoms, task.remarks, say)
            try:
                sizes.append(_play(tournament, task.cell, atoms, plan.out / "frames"))
            except Failure as failure:
                say(str(failure))
                break
            machine = faster(machine, _machine(plan))
            found = _comparison(task, machine, tournament, sizes, commands)
            write_comparison(plan.out / "results.json", found)
    if not sizes:
        raise Failure("nothing could be measured; the logs tell more")
    return found


def _machine(plan: Plan) -> Machine:
    return describe_machine(plan.rules.threads, sys.executable, plan.out / "logs" / "machine.log")


def _mind_others(atoms: int, remarks: list[Remark], say: Say) -> None:
    """Remark if other programs disturb the measurement."""
    share = busy() or 0.0
    if share > QUIET:
        text = f"other programs took {100 * share:.0f} % of the machine before {atoms:,} atoms"
        say(text)
        remarks.append(Remark("machine", f"{text}: the figures are uncertain"))


def _play(tournament: Tournament, cell: Frame, atoms: int, folder: Path) -> Size:
    frame = copies(cell, atoms)
    path = folder / f"{len(frame.types)}.npz"
    save_frame(path, frame)
    return tournament.play(path.resolve(), len(frame.types))


def _prepare(plan: Plan, say: Say) -> _Task:
    """Draw the model and make all files of it."""
    cell = water_cell() if plan.frame is None else read_cell(plan.frame)
    model = draw_model(cell, plan.descriptor, type_one_side=plan.type_one_side)
    path = (plan.out / "models" / "model.dp").resolve()
    write_model(path, model, settings(plan.descriptor, type_one_side=plan.type_one_side))
    ours = our_contestants(plan.backends, sys.executable, path)
    wanted = selected([contestant.name for contestant in ours], plan.patterns)
    contestants = [contestant for contestant in ours if contestant.name in wanted]
    remarks: list[Remark] = []
    if plan.peer_python is not None:
        # An interpreter of a virtual environment is a link; what it links to has no packages.
        python = str(Path(plan.peer_python).absolute())
        peer = _peer(plan, python, path, cell)
        contestants += _peer_contestants(peer, plan.patterns, remarks, say)
    return _Task(cell, model, describe_model(model, plan.descriptor), contestants, remarks)


def _peer(plan: Plan, python: str, model: Path, cell: Frame) -> Peer:
    folder = model.parent
    save_system(folder / "system", cell, TRAINING_FRAMES)
    script = folder / "input.json"
    model_settings = settings(plan.descriptor, type_one_side=plan.type_one_side)
    write_script(script, model_settings, folder / "system")
    return Peer(python, environment(plan.rules.threads), model, script)


def _peer_contestants(
    peer: Peer, patterns: tuple[str, ...], remarks: list[Remark], say: Say
) -> list[Contestant]:
    """Return the files that the peer can make, in both modes; say why the others are missing."""
    found: list[Contestant] = []
    modes = [(suffix, PLAIN) for suffix in SUFFIXES]
    modes += [(suffix, COMPRESSED) for suffix in COMPRESSIBLE]
    made: dict[str, Path | Failure] = {}
    for suffix, mode in modes:
        name = peer_entry(suffix, mode).name
        if not selected([name], patterns):
            continue
        say(f"{name}: DeePMD-kit makes the file")
        try:
            path = _plain(peer, suffix, made)
            path = path if mode == PLAIN else peer.compress(path)
            found.append(peer_contestant(suffix, mode, peer.python, path))
        except Failure as failure:
            say(f"{name}: {failure}")
            remarks.append(Remark(name, str(failure)))
    return found


def _plain(peer: Peer, suffix: str, made: dict[str, Path | Failure]) -> Path:
    """Return the peer's plain file; one that cannot be made is tried once."""
    if suffix not in made:
        try:
            made[suffix] = peer.convert(suffix)
        except Failure as failure:
            made[suffix] = failure
    found = made[suffix]
    if isinstance(found, Failure):
        raise found
    return found


def _commands(plan: Plan, remarks: list[Remark]) -> dict[str, tuple[float, ...]]:
    programs = {OURS: Path(sys.executable).with_name("dp")}
    if plan.peer_python is not None:
        programs[THEIRS] = Path(plan.peer_python).absolute().with_name("dp")
    try:
        return command_seconds(programs, HELPS, plan.rules.threads)
    except Failure as failure:
        remarks.append(Remark("dp -h", str(failure)))
        return {}


def _comparison(
    task: _Task,
    machine: Machine,
    tournament: Tournament,
    sizes: list[Size],
    commands: dict[str, tuple[float, ...]],
) -> Comparison:
    neighbours = mean_neighbours(task.model, task.cell)
    return Comparison(
        date=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        machine=machine,
        versions=tournament.versions,
        model=task.words,
        neighbours=neighbours,
        nets=work(task.model, neighbours, tables=False),
        tables=work(task.model, neighbours, tables=True),
        entries=tuple(contestant.entry for contestant in task.contestants),
        starts=tournament.starts,
        sizes=tuple(sizes),
        commands=commands,
        remarks=(*task.remarks, *tournament.remarks),
    )


def describe_model(model: StandardModel, name: str) -> str:
    """Return the settings of the model of a name in words."""
    descriptor: Any = model.descriptor
    if name in EXAMPLES:
        return (
            f"descriptor `{descriptor.type_name}`, settings of DeePMD-kit's example of water `{name}`; "
            f"{EXAMPLES[name]['descriptor']['precision']}"
        )
    fitting = model.fitting
    embedding, layers = (
        "-".join(map(str, widths)) for widths in (descriptor.neuron, fitting.neuron)
    )
    layers_of_attention = getattr(descriptor, "attn_layer", 0)
    attention = f", {layers_of_attention} attention layers" if layers_of_attention else ""
    sel = list(descriptor.sel) if isinstance(descriptor.sel, tuple) else descriptor.sel
    sided = ", `type_one_side`" if descriptor.type_one_side else ""
    return (
        f"descriptor `{descriptor.type_name}`{sided}{attention} with `sel` {sel}, "
        f"`rcut` {descriptor.rcut:g} Å, embedding networks {embedding}, {descriptor.axis_neuron} axis columns; fitting network {layers}; "
        "float64"
    )
