"""With and without the kernels: which is used, and that both give the same batches."""

import logging
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from dpcore import registry, tree
from dpcore.errors import DPError
from dpcore.frames import Frame
from dpcore.infer import assemble as assembling
from dpcore.infer import edges as finding
from dpcore.infer.assemble import assemble
from dpcore.neighbours.selection import Selection
from dpcore.neighbours.sizes import ExactSizes, ExportSizes

SELECTION = Selection(4.0, (9, 14), ((0, 0),))


@pytest.fixture
def points(monkeypatch):
    """Return the entry points that kernels are looked for in, to be changed."""
    found = {}
    monkeypatch.delenv("DPCORE_KERNELS", raising=False)
    monkeypatch.setattr(registry, "_points", lambda group: {"dpcore.kernels": found}[group])
    registry.kernels.cache_clear()
    yield found
    registry.kernels.cache_clear()


def point(value):
    return EntryPoint("library", value, "dpcore.kernels")


def test_no_kernels_are_installed(points, caplog):
    assert registry.kernels() is None
    assert not caplog.records
    assert not points


def test_kernels_are_loaded_once(points):
    points["library"] = point("dpcore_kernels:library")
    loaded = registry.kernels()
    assert loaded.isa
    del points["library"]
    assert registry.kernels() is loaded


def test_kernels_of_another_version_are_left_alone(points, caplog):
    """As they are where dpcore was installed anew and the kernels were not."""
    points["library"] = point("string:ascii_letters")
    with caplog.at_level(logging.WARNING):
        assert registry.kernels() is None
    (record,) = caplog.records
    assert "reinstall dpcore-kernels" in record.message


def test_kernels_are_switched_off(points, monkeypatch):
    points["library"] = point("string:ascii_letters")
    monkeypatch.setenv("DPCORE_KERNELS", "0")
    assert registry.kernels() is None


@pytest.mark.parametrize("value", ["no_such_module:library", "string:no_such_name"])
def test_kernels_that_do_not_load_are_named_once(points, caplog, value):
    points["library"] = point(value)
    with caplog.at_level(logging.WARNING):
        assert registry.kernels() is None
        assert registry.kernels() is None
    (record,) = caplog.records
    assert "no_such" in record.message
    assert "\n" not in record.message


def frames(seed):
    """Return frames of all kinds: periodic, partly, open, with holes, empty."""
    rng = np.random.default_rng(seed)
    cell = np.array([[6.0, 0.0, 0.0], [2.0, 7.0, 0.0], [-1.0, 2.0, 5.0]])
    coord = rng.random((70, 3)) @ cell + rng.integers(-2, 3, (70, 3)) @ cell
    types = rng.integers(0, 2, 70)
    return [
        Frame(coord, types, cell),
        Frame(coord[:30], types[:30], None),
        Frame(coord[:40], types[:40], cell, (True, False, True)),
        Frame(np.round(coord[:9] * 2) / 2 + 50.0, np.where(types[:9], -1, 0), cell),
        Frame(coord[:3], np.full(3, -1), None),
        Frame(coord[:2] * 1e9, types[:2], cell),
        Frame(coord[:2] * 1e17, types[:2], cell, (True, False, False)),
    ]


def arrays(batch):
    return tree.arrays(batch).values()


def without_kernels(monkeypatch):
    monkeypatch.setattr(assembling, "kernels", lambda: None)
    monkeypatch.setattr(finding, "kernels", lambda: None)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("sizes", [ExactSizes(), ExportSizes()], ids=["exact", "export"])
def test_batches_are_the_same(monkeypatch, dtype, sizes):
    assert registry.kernels() is not None, (
        "the package dpcore-kernels is needed: see kernels/README.md"
    )
    ours = assemble(frames(1), [SELECTION], sizes, dtype)
    without_kernels(monkeypatch)
    expected = assemble(frames(1), [SELECTION], sizes, dtype)
    assert ours.edges[0].overfull == expected.edges[0].overfull > 0
    for got, want in zip(ours.batches(40), expected.batches(40), strict=True):
        for a, b in zip(arrays(got), arrays(want), strict=True):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def test_errors_are_the_same(monkeypatch):
    assert registry.kernels() is not None, (
        "the package dpcore-kernels is needed: see kernels/README.md"
    )
    coord = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [1.0, 0.0, 0.0], [9.0, 5.0, 5.0]])
    types, cell = np.array([0, 1, 0, 1]), 8.0 * np.eye(3)
    bad = [
        Frame(coord[[3, 0, 2, 0, 2]], types[[0, 0, 1, 0, 0]], cell),
        Frame(coord[[3, 0, 1]], types[[0, 0, 1]], 4.0 * np.eye(3)),
        Frame(coord * np.nan, types, cell),
        Frame(coord, types, np.ones((3, 3))),
    ]
    messages = []
    for _ in range(2):
        for frame in bad:
            with pytest.raises(DPError, match="frame 6") as caught:
                assemble([Frame(coord, types), frame], [SELECTION], ExactSizes(), first=5)
            messages.append(str(caught.value))
        without_kernels(monkeypatch)
    assert messages[:4] == messages[4:]
    assert len(set(messages)) == 4
