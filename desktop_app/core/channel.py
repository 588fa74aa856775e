"""Messages between the window and its workers over a private pipe of this machine.

A message is a plain header and named arrays. The pipe is a Unix socket or a named pipe of Windows,
so a window that starts later can attach to a worker that already runs; a key keeps others out.
"""

import json
import os
import secrets
import struct
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.errors import WorkerLost

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Message:
    """A header of plain values and arrays by name."""

    header: dict[str, Any]
    arrays: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Address:
    """Where a worker listens, and the key it asks for."""

    path: str
    key: str

    @classmethod
    def new(cls) -> "Address":
        """Return an address that nobody listens at yet."""
        name = f"loupe-{os.getpid()}-{secrets.token_hex(6)}"
        if sys.platform == "win32":
            return cls(rf"\\.\pipe\{name}", secrets.token_hex(16))
        # Unix sockets have short names only: the run folder's path may be too long.
        return cls(str(Path(tempfile.gettempdir()) / name), secrets.token_hex(16))

    def listen(self) -> Listener:
        """Open the address for connections."""
        return Listener(self.path, authkey=bytes.fromhex(self.key))

    def connect(self) -> Connection:
        """Connect to the worker. Raises WorkerLost when nobody listens."""
        try:
            return Client(self.path, authkey=bytes.fromhex(self.key))
        except (OSError, EOFError, AuthenticationError) as problem:
            raise WorkerLost(f"The worker at '{self.path}' does not answer: {problem}.") from None

    def knock(self) -> None:
        """Connect without a greeting and leave: whoever waits for a connection looks up."""
        with suppress(OSError):
            Client(self.path).close()


def send(connection: Connection, header: dict[str, Any], arrays: Arrays | None = None) -> None:
    """Send one message. Raises WorkerLost when the other side is gone."""
    contents = {name: np.asarray(array) for name, array in (arrays or {}).items()}
    shapes = [[name, array.dtype.str, list(array.shape)] for name, array in contents.items()]
    head = json.dumps({"header": header, "arrays": shapes}).encode("utf-8")
    try:
        connection.send_bytes(
            b"".join(
                [struct.pack("<I", len(head)), head, *(a.tobytes() for a in contents.values())]
            )
        )
    except (OSError, ValueError) as problem:
        raise WorkerLost(f"The other side of the pipe is gone: {problem}.") from None


def receive(connection: Connection) -> Message:
    """Return the next message. Raises WorkerLost when the other side is gone."""
    try:
        whole = connection.recv_bytes()
    except (OSError, EOFError) as problem:
        raise WorkerLost(f"The other side of the pipe is gone: {problem}.") from None
    (length,) = struct.unpack_from("<I", whole)
    head = json.loads(whole[4 : 4 + length])
    position = 4 + length
    arrays = {}
    for name, dtype, shape in head["arrays"]:
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(whole, dtype, count, position).reshape(shape)
        position += arrays[name].nbytes
    return Message(head["header"], arrays)
