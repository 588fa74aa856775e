"""`loupe worker` and `loupe serve`: the processes behind the window."""

import argparse
import sys

from desktop_app.core.channel import Address
from desktop_app.core.runs import JobState
from desktop_app.worker.commands import Commands
from desktop_app.worker.interrupts import stopped_by_interrupt
from desktop_app.worker.process import work
from desktop_app.worker.serving import serve as answer


def worker(options: argparse.Namespace) -> int:
    """Do the job of a folder to its end."""
    commands = Commands()
    with stopped_by_interrupt(commands):
        state = work(options.path, commands)
    return 0 if state in (JobState.FINISHED, JobState.STOPPED) else 1


def serve(options: argparse.Namespace) -> int:
    """Answer questions until the window goes away; the key comes as a line of input."""
    key = sys.stdin.readline().strip()
    answer(
        options.run, options.folder, Address(options.address, key), options.device, options.threads
    )
    return 0
