"""The comparison for other programs: JSON, and JUnit's XML for continuous integration."""

import json
import math
from dataclasses import asdict
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from dpcore.parity.quantities import Quantity
from dpcore.parity.result import BackendResult, Difference, ParityResult, Status
from dpcore.parity.table import closing, scientific
from dpcore.parity.text import one_line

FORMAT = 1


def as_json(result: ParityResult) -> str:
    """Return the comparison as JSON.

    The top level holds:

    - ``format``: 1; it grows when a key changes its meaning or goes;
    - ``passes``: whether no backend disagrees or failed;
    - ``model``: ``path`` and ``sha256`` of the file and the ``branch`` inside, or null for a model in memory;
    - ``type_map``: names of the atom types;
    - ``dtype``: in which the backends computed; the reference computes in float64;
    - ``tolerance``: ``atol`` and ``rtol``;
    - ``frames``, ``atoms``: how many were compared;
    - ``magnitudes``: the largest of the reference, by quantity as in ``differences``;
    - ``systems``: for each ``name``, ``frames`` and ``atoms``;
    - ``environment``: versions and platform, as text by name;
    - ``reference`` and, in a list, ``backends``: see below.

    A backend holds ``name``; ``status`` (``reference``, ``agrees``, ``disagrees``, ``failed`` or
    ``missing``); ``reason``, text, empty where there are numbers; ``version``; ``device``; ``seconds``
    (null, or the wall times ``first`` and ``second`` of two calls); and ``differences`` by quantity: of
    an energy ``energy`` and ``virial`` per atom, ``force``, and with spins ``force_mag``; of another
    property the frame's, per atom if it is a sum, and, by their names, either ``force`` and ``virial`` or
    the atom's. Each of those holds ``largest``, ``tolerance``, ``unit``, ``agrees``, and the place of the
    largest: ``system``, ``frame`` and ``atom`` (null for what belongs to a frame). A number that is not
    finite is null.
    """
    record = {
        "format": FORMAT,
        "passes": result.passes,
        "model": result.model and asdict(result.model),
        "type_map": list(result.type_map),
        "dtype": result.dtype,
        "tolerance": {"atol": result.tolerance.atol, "rtol": result.tolerance.rtol},
        "frames": len(result.samples),
        "atoms": result.natoms,
        "magnitudes": {q.name: _finite(result.magnitude(q)) for q in result.quantities},
        "systems": [vars(size) for size in result.systems()],
        "environment": result.environment,
        "reference": _backend(result, result.reference),
        "backends": [_backend(result, backend) for backend in result.backends],
    }
    return json.dumps(record, indent=2, allow_nan=False) + "\n"


def as_junit(result: ParityResult) -> str:
    """Return the comparison as JUnit XML, one test case for each backend and quantity."""
    suite = Element("testsuite", name="dp parity")
    counts: dict[str, int] = dict.fromkeys(("failures", "errors", "skipped"), 0)
    for backend in result.backends:
        for quantity in result.quantities:
            outcome = _case(suite, result, backend, quantity)
            if outcome:
                counts[outcome] += 1
    tests = len(result.backends) * len(result.quantities)
    for name, count in {"tests": tests, **counts}.items():
        suite.set(name, str(count))
    suite.set("time", f"{sum(map(_time, result.backends)):.3f}")
    SubElement(suite, "system-out").text = closing(result)
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _backend(result: ParityResult, backend: BackendResult) -> dict[str, Any]:
    return {
        "name": backend.name,
        "status": backend.status.value,
        "reason": backend.reason,
        "version": backend.version,
        "device": backend.device,
        "seconds": backend.seconds and vars(backend.seconds),
        "differences": {d.quantity.name: _difference(result, d) for d in backend.differences},
    }


def _difference(result: ParityResult, difference: Difference) -> dict[str, Any]:
    sample = result.samples[difference.sample]
    return {
        "largest": _finite(difference.largest),
        "tolerance": _finite(difference.tolerance),
        "unit": difference.quantity.unit,
        "agrees": difference.agrees,
        "system": sample.system,
        "frame": sample.number,
        "atom": difference.atom,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _time(backend: BackendResult) -> float:
    return 0.0 if backend.seconds is None else backend.seconds.first + backend.seconds.second


def _case(
    suite: Element, result: ParityResult, backend: BackendResult, quantity: Quantity
) -> str | None:
    """Add a test case and return which count it adds to, if any."""
    classname = f"parity.{backend.name}"
    time = f"{_time(backend) / len(result.quantities):.3f}"
    case = SubElement(suite, "testcase", classname=classname, name=quantity.label, time=time)
    if backend.status is Status.MISSING:
        SubElement(case, "skipped", message=backend.reason)
        return "skipped"
    if backend.status is Status.FAILED:
        SubElement(case, "error", message=backend.reason)
        return "errors"
    difference = next(d for d in backend.differences if d.quantity == quantity)
    if difference.agrees:
        return None
    size = f"{scientific(difference.largest)} {quantity.unit}"
    allowed = f"more than {scientific(difference.tolerance)} allowed"
    message = f"max{quantity.symbol} = {size}, {allowed}, at {result.place(difference)}"
    SubElement(case, "failure", message=one_line(message))
    return "failures"
