"""Which process works on a job folder: its number, when it started, where it listens."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from desktop_app.core.channel import Address
from desktop_app.core.files import read_json, write_json
from desktop_app.sdk.errors import InvalidInput, LoupeError


@dataclass(frozen=True)
class Lock:
    """The owner of a job folder."""

    pid: int
    started: float
    """Creation time of the process: process numbers are used again."""
    address: str
    key: str

    def is_alive(self) -> bool:
        """Tell whether the owner still runs."""
        try:
            process = psutil.Process(self.pid)
            return (
                abs(process.create_time() - self.started) < 1
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.Error:
            return False

    def control(self) -> Address:
        """Return where the owner takes commands."""
        return Address(self.address, self.key)


def take_lock(path: Path, control: Address) -> None:
    """Make this process the owner. Raises LoupeError when another one works here."""
    owner = read_lock(path)
    if owner is not None and owner.is_alive():
        raise LoupeError(
            f"Process {owner.pid} is working on '{path.parent}': stop it first, or wait for it."
        )
    started = psutil.Process().create_time()
    write_json(path, asdict(Lock(os.getpid(), started, control.path, control.key)))
    path.chmod(0o600)


def read_lock(path: Path) -> Lock | None:
    """Return the owner named in a lock file; None when there is none."""
    try:
        return Lock(**read_json(path))
    except (InvalidInput, TypeError):
        return None


def release_lock(path: Path) -> None:
    """Let others work on the folder."""
    path.unlink(missing_ok=True)
