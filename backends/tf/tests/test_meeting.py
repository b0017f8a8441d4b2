"""Processes that learn where each of them listens, in any order of their coming."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dpcore.errors import DPError
from dpcore.train.workers import Place
from dpcore_tf import meeting


def place(rank, size, port):
    return Place(rank, size, rank, "127.0.0.1", port)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1] - 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_all_hear_of_all(order):
    port, size = free_port(), len(order)

    def come(rank):
        time.sleep(0.1 * order.index(rank))
        return meeting.addresses(place(rank, size, port))

    with ThreadPoolExecutor(size) as pool:
        found = list(pool.map(come, range(size)))
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == size
    assert all(address.startswith("127.0.0.1:") for address in found[0])


def test_nobody_waits_for_ever(monkeypatch):
    monkeypatch.setattr(meeting, "_PATIENCE", 0.1)
    for rank in (0, 1):
        with pytest.raises(DPError, match=f"process {rank} of 2 does not meet the others at"):
            meeting.addresses(place(rank, 2, free_port()))
