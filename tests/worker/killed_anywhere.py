"""Kill a training at any of its file operations and resume it, many times in one process.

`python -m tests.worker.killed_anywhere FOLDER RUNS METHOD=MOMENTS...` prints JSON, a line a moment.
Each training runs in a forked child, so that torch is imported once; the child ends itself with
SIGKILL just before its n-th operation on a file.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from desktop_app.core import eventlog
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.worker.training import train
from tests.runs import dense_spec, metrics

_OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


PARAMS: dict[str, dict[str, Any]] = {
    "autoencoder": {"epochs": 4},
    "vae": {"epochs": 4, "least_steps": 0, "batch_size": 8},
    "pca": {},
    "patch_memory": {"filters": 24, "dimensions": 32},
}


def main(folder: Path, runs: Path, wishes: dict[str, int]) -> None:
    """Train each method without an interruption, then with a kill at each of some moments."""
    eventlog._PAUSE = 0.0  # every step is written: as many moments as there can be
    for method, moments in wishes.items():
        train(Run.create(runs / method / "first", _spec(folder, method)))  # imports all there is
        whole = Run.create(runs / method / "whole", _spec(folder, method))
        operations = _counted(lambda whole=whole: train(whole), runs / method / "count")
        for number in range(moments):
            moment = 1 + number * (operations - 1) // max(moments - 1, 1)
            run = Run.create(runs / method / f"killed-{moment}", _spec(folder, method))
            print(json.dumps({"method": method} | _outcome(run, whole, moment)), flush=True)


def _outcome(run: Run, whole: Run, moment: int) -> dict[str, Any]:
    """Kill a training at a moment, resume it, and compare it with the uninterrupted one."""
    signal_number = _in_child(lambda: _killed(run, moment))
    readable = _readable(run)
    _in_child(lambda: train(run))
    return {
        "moment": moment,
        "killed": signal_number == signal.SIGKILL,
        "readable": readable,
        "state": str(run.state()),
        "same": metrics(run) == metrics(whole),
        "trained": _same_state(run, whole),
    }


def _same_state(run: Run, whole: Run) -> bool:
    first, second = run.trained_state(), whole.trained_state()
    return first.arrays.keys() == second.arrays.keys() and all(
        np.array_equal(array, second.arrays[name], equal_nan=array.dtype.kind == "f")
        for name, array in first.arrays.items()
    )


def _spec(folder: Path, method: str) -> JobSpec:
    spec = dense_spec(folder, method=method, checkpoint_seconds=0.0)
    if method == "autoencoder":
        return spec.model_copy(update={"params": spec.params | PARAMS[method]})
    return spec.model_copy(update={"params": PARAMS[method]})


def _readable(run: Run) -> str:
    """Return "" when everything that an opened run folder shows can be read, else the problem."""
    try:
        run.spec(), run.data(), run.events(), run.checkpoints()
        if run.state().is_active:
            return "a dead run counts as running"
        if run.is_trained:
            run.trained_state()
    except Exception as problem:
        return repr(problem)
    return ""


def _counted(act: Callable[[], object], note: Path) -> int:
    """Return how many operations on files an act takes."""

    def counting() -> None:
        count = _watch(lambda number: None)
        act()
        note.write_text(str(count[0]), encoding="utf-8")

    _in_child(counting)
    return int(note.read_text(encoding="utf-8"))


def _killed(run: Run, moment: int) -> JobState:
    def kill(number: int) -> None:
        if number == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch(kill)
    return train(run)


def _watch(act: Callable[[int], None]) -> list[int]:
    """Call `act` with its number before every operation on a file from now on."""
    count = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _OPERATIONS:
            count[0] += 1
            act(count[0])

    sys.addaudithook(hook)
    return count


def _in_child(act: Callable[[], object]) -> int:
    """Do something in a forked child; return the signal that ended it, 0 for none."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


if __name__ == "__main__":
    pairs = [word.split("=") for word in sys.argv[3:]]
    main(Path(sys.argv[1]), Path(sys.argv[2]), {name: int(count) for name, count in pairs})
