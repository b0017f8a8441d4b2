"""``dp doctor``, with backends that work, lack their framework, crash or hang."""

import sys
import sysconfig
from pathlib import Path

import pytest

from dpcore import registry
from dpcore.cli import doctor, main, probe
from dpcore.cli.probe import Finding
from dpcore.errors import DPError


def examined(monkeypatch, capsys, findings):
    monkeypatch.setattr(doctor, "aliases", lambda: {name: name for name in findings})
    monkeypatch.setattr(probe, "probe", findings.__getitem__)
    code = main(["doctor"])
    return code, capsys.readouterr().out.splitlines()


def row(lines, start):
    return " ".join(next(line for line in lines if line.startswith(start)).split())


def test_the_table(monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    missing = "backend 'b' needs the package 'b': pip install 'dpcore[b]'"
    code, lines = examined(
        monkeypatch,
        capsys,
        {
            "a": Finding("1.2", ("cpu", "cuda")),
            "b": Finding(problem=missing),
            "c": Finding(problem="its import crashes (SIGSEGV)"),
        },
    )
    assert code == 0
    assert row(lines, "backend a") == "backend a ok 1.2 on cpu, cuda"
    assert row(lines, "backend b") == f"backend b missing {missing}"
    assert row(lines, "backend c") == "backend c broken its import crashes (SIGSEGV)"
    assert row(lines, "OMP_NUM_THREADS") == "OMP_NUM_THREADS 7"
    assert row(lines, "numpy").startswith("numpy ok ")
    assert ".dp" in row(lines, "model files").split()


def test_it_fails_if_no_backend_works(monkeypatch, capsys):
    code, _ = examined(monkeypatch, capsys, {"a": Finding(problem="broken")})
    assert code == 1


def test_the_reference_backend_works():
    found = probe.probe("numpy")
    assert found.problem is None
    assert found.devices == ("cpu",)
    assert found.version[0].isdigit()


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashes (SIGSEGV)"),
        ("import time; time.sleep(60)", "its import did not end within 0.5 s"),
        ("import os; os._exit(3)", "code 3: it printed nothing"),
        ("raise SystemExit('no licence')", "code 1: no licence"),
    ],
)
def test_an_import_that_takes_python_along(code, problem):
    found = probe.ask([sys.executable, "-c", code], 0.5 if "sleep" in code else 60)
    assert problem in found.problem


def test_what_a_framework_prints_is_no_answer():
    answer = '{"version": "3", "devices": ["cpu"], "problem": null}'
    code = f"print('Welcome to the framework'); print('''{answer}''')"
    assert probe.ask([sys.executable, "-c", code]) == Finding("3", ("cpu",))


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (DPError("needs the package 'x'"), "needs the package 'x'"),
        (ImportError("libx.so:\n cannot open"), "ImportError: libx.so: cannot open"),
    ],
)
def test_an_import_that_fails(monkeypatch, error, problem):
    def backend(_):
        raise error

    monkeypatch.setattr(registry, "backend", backend)
    assert probe.look("x").problem == problem


def test_devices_that_are_not_there_are_left_out(monkeypatch):
    class Adapter:
        class capabilities:  # noqa: N801
            devices = ("cpu", "cuda")

        def version(self):
            return "1"

        def device(self, name):
            if name != "cpu":
                raise DPError("no such device")

    monkeypatch.setattr(registry, "backend", lambda _: Adapter())
    assert probe.look("x") == Finding("1", ("cpu",))


@pytest.mark.parametrize(
    ("folder", "text", "state", "part"),
    [
        ("scripts", "from dpcore.cli import main", "ok", "scripts/dp"),
        ("scripts", "from deepmd.main import main", "foreign", "is DeePMD-kit's: type 'dpcore"),
        ("scripts", "something else", "foreign", "is another program's: type 'dpcore"),
        ("other", "from dpcore.cli import main", "foreign", "is of another Python's dpcore"),
    ],
)
def test_the_dp_that_a_shell_finds(tmp_path, folder, text, state, part):
    for name in ("scripts", "other"):
        (tmp_path / name).mkdir()
    program = tmp_path / folder / "dp"
    program.write_text(f"#!/usr/bin/python\n{text}\n")
    found = doctor.check_program(str(program), tmp_path / "scripts")
    assert found.state == state
    assert part in found.text


def test_no_dp_is_found():
    assert "python -m dpcore" in doctor.check_program(None, Path("scripts")).text


def test_the_installed_dp_is_this_program():
    scripts = Path(sysconfig.get_path("scripts"))
    assert doctor.check_program(str(scripts / "dp"), scripts).state == "ok"
