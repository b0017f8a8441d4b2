"""The program around the commands: help, mistakes, failures, messages, the choice of a backend."""

import argparse
import logging
import subprocess
import sys
from importlib.metadata import entry_points
from types import SimpleNamespace

import pytest

import dpcore
from dpcore import registry
from dpcore.cli import arguments, backends, doctor, main
from dpcore.cli.logs import say
from dpcore.errors import DPError

UNEXPECTED = "(unexpected: please run again with --debug and report what it prints)"


def leaves_with(words):
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code


def run_as(monkeypatch, function):
    """Let the command doctor run a function."""
    monkeypatch.setattr(doctor, "run", function)
    return lambda *words: main(["doctor", *words])


def raising(error):
    def run(_):
        raise error

    return run


def test_help_imports_nothing_slow():
    code = (
        "import sys; from dpcore.cli.arguments import build_parser; build_parser().format_help(); "
        "print([name for name in ('numpy', 'h5py', 'yaml', 'autograd') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_the_program_runs_as_a_module():
    command = [sys.executable, "-m", "dpcore", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"dpcore {dpcore.__version__}\n"


def test_a_reader_that_leaves_early_is_no_failure():
    code = "import sys, dpcore.cli.logs as l\nfor i in range(100000): l.say('x' * 100)"
    program = (
        "import sys; from dpcore.cli import main, doctor\n"
        f"def run(_):\n    exec({code!r})\n    return 0\n"
        "doctor.run = run\nsys.exit(main(['doctor']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""


def test_no_words_print_help(capsys):
    assert main([]) == 0
    help_text = capsys.readouterr().out
    for command in ("test", "show", "convert-backend", "parity", "doctor", "examples:"):
        assert command in help_text


@pytest.mark.parametrize("command", [command.name for command in arguments.COMMANDS])
def test_every_command_has_help_and_the_common_options(command, capsys):
    assert leaves_with([command, "-h"]) == 0
    help_text = capsys.readouterr().out
    for option in ("--log-level", "--log-path", "--debug"):
        assert option in help_text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tset"], "dp: error: unknown command 'tset'; did you mean 'test'? allowed:"),
        (["test", "--nosuch"], "dp: error: unrecognized arguments: --nosuch"),
        (["show"], "dp show: error: the following arguments are required: INPUT"),
        (["show", "x.dp", "typemap"], "unknown attribute 'typemap'; did you mean 'type-map'?"),
        (["test", "-n", "-3"], "'-3' is not a whole number from 0 up"),
        (["-b", "nunpy", "test"], "unknown backend 'nunpy'; did you mean 'numpy'?"),
        (["test", "-s", "a", "-f", "b"], "not allowed with argument"),
    ],
)
def test_words_that_are_not_understood(words, message, capsys):
    assert leaves_with(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DPError("x.dp: no such file"), "dp: error: x.dp: no such file\n"),
        (PermissionError(13, "Permission denied", "a.dp"), "dp: error: a.dp: Permission denied\n"),
        (OSError(28, "No space left on device"), "dp: error: No space left on device\n"),
        (
            KeyError("sel\nrcut"),
            f"dp: error: KeyError: 'sel\\nrcut' {UNEXPECTED}\n",
        ),
        (
            RuntimeError("two\nlines"),
            f"dp: error: RuntimeError: two lines {UNEXPECTED}\n",
        ),
    ],
)
def test_a_failure_is_one_line(monkeypatch, capsys, error, message):
    doctor_runs = run_as(monkeypatch, raising(error))
    assert doctor_runs() == 1
    assert capsys.readouterr().err == message


def test_out_of_memory_names_the_remedy(monkeypatch, capsys):
    monkeypatch.setenv("DP_INFER_BATCH_SIZE", "77")
    assert run_as(monkeypatch, raising(MemoryError()))() == 1
    complaint = capsys.readouterr().err
    assert "DP_INFER_BATCH_SIZE, which is 77" in complaint
    assert complaint.count("\n") == 1


def test_debug_shows_where_it_failed(monkeypatch, capsys):
    assert run_as(monkeypatch, raising(DPError("no such file")))("--debug") == 1
    complaint = capsys.readouterr().err
    assert "Traceback" in complaint
    assert "test_program.py" in complaint
    assert complaint.endswith("dp: error: no such file\n")


def test_an_interrupt_has_its_own_code(monkeypatch, capsys):
    assert run_as(monkeypatch, raising(KeyboardInterrupt()))() == 130
    assert "Traceback" not in capsys.readouterr().err


def chatter(_):
    say("result")
    for name in ("dpcore.infer", "dpcore_anything", "somebody"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger(name).log(level, "%s says", name)
    return 0


@pytest.mark.parametrize(
    ("level", "lines"),
    [
        (["-v", "DEBUG"], 10),
        (["-v", "3"], 10),
        ([], 8),
        (["--log-level", "INFO"], 8),
        (["--log-l", "2"], 8),
        (["-v", "WARNING"], 6),
        (["-v", "1"], 6),
        (["-v", "ERROR"], 3),
        (["-v", "0"], 3),
    ],
)
def test_log_level_sets_what_is_said(monkeypatch, capsys, level, lines):
    assert run_as(monkeypatch, chatter)(*level) == 0
    said = capsys.readouterr()
    assert said.out == "result\n"
    assert len(said.err.splitlines()) == lines


def test_messages_and_results_go_to_the_log_file(monkeypatch, capsys, tmp_path):
    path = tmp_path / "dp.log"
    run = run_as(monkeypatch, chatter)
    assert run("-l", str(path), "-v", "1") == 0
    lines = path.read_text().splitlines()
    assert lines[0].endswith("INFO    result")
    assert lines[1].endswith("WARNING dpcore.infer says")
    assert len(lines) == 7
    assert "dp: warning: dpcore.infer says" in capsys.readouterr().err.splitlines()
    assert run("-l", str(path)) == 0
    assert len(path.read_text().splitlines()) == 7 + 9


def test_failures_go_to_the_log_file(monkeypatch, tmp_path):
    path = tmp_path / "dp.log"
    assert run_as(monkeypatch, raising(DPError("no such file")))("-l", str(path)) == 1
    assert path.read_text().endswith("ERROR   no such file\n")


def test_a_log_file_that_cannot_be_written(monkeypatch, capsys, tmp_path):
    path = tmp_path / "nowhere" / "dp.log"
    assert run_as(monkeypatch, chatter)("-l", str(path)) == 1
    assert capsys.readouterr().err == f"dp: error: {path}: No such file or directory\n"


def test_logging_is_as_before_afterwards(monkeypatch):
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    run_as(monkeypatch, chatter)("-v", "3")
    assert (root.level, list(root.handlers)) == before


@pytest.mark.parametrize(
    ("words", "backend"),
    [
        (["test"], None),
        (["--numpy", "test"], "numpy"),
        (["test", "--np"], "numpy"),
        (["-b", "NP", "test"], "numpy"),
        (["-b", "numpy", "test", "-n", "3"], "numpy"),
        (["test", "--backend", "np"], "numpy"),
        (["--back", "np", "test"], "numpy"),
    ],
)
def test_a_backend_is_chosen_before_or_after_the_command(monkeypatch, words, backend):
    monkeypatch.delenv("DP_BACKEND", raising=False)
    assert backends.chosen_backend(arguments.parse(words)) == backend


def test_every_backend_and_alias_has_a_shorthand(monkeypatch):
    monkeypatch.delenv("DP_BACKEND", raising=False)
    aliases = {point.name: point.value for point in entry_points(group="dpcore.backend_aliases")}
    names = {point.name: point.name for point in entry_points(group="dpcore.backends")}
    assert names
    for name, backend in (aliases | names).items():
        assert backends.chosen_backend(arguments.parse([f"--{name}", "test"])) == backend


def test_the_environment_chooses_where_the_user_does_not(monkeypatch):
    monkeypatch.setenv("DP_BACKEND", "NP")
    assert backends.chosen_backend(argparse.Namespace()) == "numpy"
    assert backends.chosen_backend(argparse.Namespace(backend="other")) == "other"
    monkeypatch.setenv("DP_BACKEND", "nunpy")
    with pytest.raises(DPError, match="DP_BACKEND: unknown backend 'nunpy'"):
        backends.chosen_backend(argparse.Namespace())


def test_an_installation_that_does_not_list_what_trains_is_told_of(monkeypatch):
    monkeypatch.setattr(registry, "_points", lambda _: {})
    with pytest.raises(
        DPError, match="does not list what trains: reinstall it, or name one: dp -b"
    ):
        registry.training_backend()


def test_a_choice_without_effect_is_told(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "run", lambda _: 0)
    assert main(["--numpy", "doctor"]) == 0
    assert "'doctor' evaluates no model on one backend" in capsys.readouterr().err


def test_only_the_called_command_is_run(monkeypatch):
    called = []
    for command in arguments.COMMANDS:
        name = command.name
        module = SimpleNamespace(run=lambda _, name=name: called.append(name) or 3)
        monkeypatch.setattr(f"{command.module}.run", module.run)
    assert main(["show", "x.dp"]) == 3
    assert called == ["show"]
