"""TCP ports of this machine: which are free, which answer."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

_LOOPBACK = "127.0.0.1"

# Below the range from which the kernel takes the ports of outgoing connections (32768 and up
# on Linux, 49152 elsewhere): a port in that range may be taken by any client while its engine
# is down, and a client that keeps dialling it can end up connected to itself.
_FIRST, _LAST = 20_000, 32_000


def free_port(randomness: random.Random | None = None) -> int:
    """A port on 127.0.0.1 that nothing listens on now.

    Raises OSError when none was found in a thousand attempts.
    """
    for port in _candidates(randomness or random.Random()):
        if is_free(port):
            return port
    raise OSError("no free port between 20000 and 32000 on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: connections of an earlier server in TIME-WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
        return True


def is_listening(port: int, timeout: float = 1.0) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1; timeout in seconds."""
    try:
        socket.create_connection((_LOOPBACK, port), timeout).close()
    except OSError:
        return False
    return True


def _candidates(randomness: random.Random) -> Iterator[int]:
    for _ in range(1000):
        yield randomness.randrange(_FIRST, _LAST)
