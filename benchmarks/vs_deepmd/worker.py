"""The process of one contestant: it loads a model and times evaluations of it on request.

It is run as a script, by the Python of either program, with its task as a JSON argument; so it needs NumPy
and that program only. Requests come as JSON lines on standard input, and each is answered by one line.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

Reply = dict[str, Any]
Task = dict[str, Any]

# Where each program has its class of that name; the measurement of the machine needs neither.
CLASSES = {"dpcore": "dpcore.infer", "deepmd": "deepmd.infer"}
PACKAGES = ["dpcore", "dpcore-kernels", "deepmd-kit", "numpy", "torch", "jax"]
PACKAGES += ["tensorflow", "tensorflow-cpu"]
OUTPUTS = ("energy", "force", "virial")
PRODUCTS = 6


def main() -> None:
    """Answer requests until the input ends."""
    task = json.loads(sys.argv[1])
    answers = _private_output()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, task["cores"])
    _answer(answers, _prepare, task)
    for line in sys.stdin:
        request = json.loads(line)
        _answer(answers, _serve, task, request)


def _private_output() -> TextIO:
    """Return the standard output, and send to the log what anybody else prints."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _answer(answers: TextIO, work: Callable[..., Reply], *arguments: Task) -> None:
    try:
        reply = work(*arguments)
    except Exception as error:  # noqa: BLE001  # a program may fail in any way, and the others go on
        reply = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:400]}
    answers.write(json.dumps(reply) + "\n")
    answers.flush()


def _prepare(task: Task) -> Reply:
    """Import the program and load the model; tell how long either took, in s."""
    if task["program"] not in CLASSES:
        return {}
    began = time.perf_counter()
    deep_pot = importlib.import_module(CLASSES[task["program"]]).DeepPot
    imported = time.perf_counter()
    task["evaluate"] = deep_pot(task["model"], **task["options"]).eval
    loaded = time.perf_counter()
    times = {"imported": imported - began, "loaded": loaded - imported}
    return {**times, "peak": peak_memory(), "versions": _versions()}


def _serve(task: Task, request: Task) -> Reply:
    if "multiply" in request:
        return {"speed": multiply(request["multiply"], request["width"])}
    return _evaluate(task["evaluate"], request)


def _evaluate(evaluate: Callable[..., Any], request: Task) -> Reply:
    """Evaluate a frame until the time is used up or it is enough; tell the times in s."""
    import numpy as np

    with np.load(request["frame"]) as stored:
        frame = [stored[name] for name in ("coord", "cell", "types")]
    times: list[float] = []
    while not times or (sum(times) < request["seconds"] and len(times) < request["most"]):
        began = time.perf_counter()
        outputs = evaluate(*frame)
        times.append(time.perf_counter() - began)
    if request.get("save"):
        arrays: Task = dict(zip(OUTPUTS, map(np.asarray, outputs), strict=False))
        np.savez(request["save"], **arrays)
    return {"times": times, "peak": peak_memory()}


def multiply(dtype: str, width: int) -> float:
    """Return the speed of the product of two square matrices in GFLOP/s, the best of some."""
    import numpy as np

    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((width, width)).astype(dtype) for _ in range(2))
    times = []
    for _ in range(PRODUCTS):
        began = time.perf_counter()
        np.matmul(a, b)
        times.append(time.perf_counter() - began)
    return float(2e-9 * width**3 / min(times))


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, MiB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Unlike the resource usage, this is not inherited from the process that started this one.
        lines = status.read_text(encoding="utf-8").splitlines()
        high = next(line for line in lines if line.startswith("VmHWM:"))
        return float(high.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _versions() -> dict[str, str]:
    installed = {name: list(metadata.distributions(name=name)) for name in PACKAGES}
    return {name: found[0].version for name, found in installed.items() if found}


if __name__ == "__main__":
    main()
