"""How processes on any machines learn where each of them listens."""

import json
import socket
import time

from dpcore.errors import DPError
from dpcore.train.workers import Place

# Seconds to wait for the others, and between attempts to reach the first.
_PATIENCE, _PAUSE = 300.0, 0.1


def addresses(place: Place) -> list[str]:
    """Return the address of each process, ``host:port`` by rank; all of them call this at the same time.

    The first process listens for the others at the port after that of ``torchrun``, which listens at its own.

    Raises:
        DPError: the others do not come.
    """
    own = _free_port()
    try:
        return _gathered(place, own) if place.rank == 0 else _told(place, own)
    except OSError as error:
        raise DPError(
            f"process {place.rank} of {place.size} does not meet the others at "
            f"{place.address}:{place.port + 1}: {error}"
        ) from error


def _gathered(place: Place, own: int) -> list[str]:
    """Hear where the others listen, and tell all of them."""
    found = {0: f"{place.address}:{own}"}
    with socket.create_server(("", place.port + 1)) as server:
        server.settimeout(_PATIENCE)
        guests = [server.accept() for _ in range(place.size - 1)]
        for guest, (host, *_) in guests:
            guest.settimeout(_PATIENCE)
            rank, port = json.loads(_line(guest))
            found[rank] = f"{host}:{port}"
        everybody = [found[rank] for rank in range(place.size)]
        for guest, _ in guests:
            with guest:
                guest.sendall(json.dumps(everybody).encode() + b"\n")
    return everybody


def _told(place: Place, own: int) -> list[str]:
    """Tell the first process where this one listens, and hear of all."""
    with _reached(place) as host:
        host.sendall(json.dumps([place.rank, own]).encode() + b"\n")
        return list(json.loads(_line(host)))


def _reached(place: Place) -> socket.socket:
    """Return a connection to the first process, which may not listen yet."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return socket.create_connection((place.address, place.port + 1), _PATIENCE)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)


def _line(connection: socket.socket) -> str:
    with connection.makefile() as file:
        line = file.readline()
    if not line:
        raise ConnectionResetError("a process ended before it was heard")
    return line


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
