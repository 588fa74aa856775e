"""`loupe train`: write the spec of a run and train it in this process."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from desktop_app.cli.progress import Progress
from desktop_app.core.images import ImageFolder
from desktop_app.core.plugins import find_method
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from desktop_app.worker.commands import Commands
from desktop_app.worker.interrupts import stopped_by_interrupt
from desktop_app.worker.training import train as train_run

_CHANNELS = {"auto": 0, "grey": 1, "rgb": 3}
_CODES = {JobState.FINISHED: 0, JobState.STOPPED: 130}


def train(options: argparse.Namespace) -> int:
    """Train, or resume, and return the exit code."""
    run = _run(options)
    commands = Commands()
    with Progress(as_json=options.json) as show, stopped_by_interrupt(commands):
        last: dict[str, Any] = {}

        def observe(line: dict[str, Any]) -> None:
            if line["type"] == "state":
                last.update(line)
            show(line)

        state = train_run(run, commands, observe)
    if options.json:
        print(json.dumps({"type": "result", "state": str(state), "run": str(run.path)}))
    if state is JobState.FINISHED:
        print(f"Trained {run.spec().method}: {run.path}", file=sys.stderr)
    elif state is JobState.STOPPED:
        print(f"loupe: stopped; `--resume` continues '{run.path}'.", file=sys.stderr)
    else:
        print(f"loupe: {last.get('detail') or state}", file=sys.stderr)
    return _CODES.get(state, 1)


def assigned(assignments: list[str]) -> dict[str, str]:
    """Return NAME=VALUE words as a dictionary. Raises InvalidParameter for any other word."""
    values = {}
    for word in assignments:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise InvalidParameter(f"Expected --set NAME=VALUE, got '{word}'.")
        values[name.strip()] = value.strip()
    return values


def _run(options: argparse.Namespace) -> Run:
    """Return the run to train: a new one, or the one to resume with what was changed."""
    path = options.out.absolute()
    changes = assigned(options.assignments)
    if options.resume and (path / "spec.json").exists():
        return _resumed(Run.open(path), options, changes)
    if not options.method:
        raise InvalidParameter("Name a method with --method; `loupe methods` lists them.")
    kind, _ = find_method(options.method)
    folder = ImageFolder(options.folder)
    return Run.create(
        path,
        JobSpec(
            folder=str(folder.root),
            split=options.split,
            method=options.method,
            params=kind.params_type.parse(changes).model_dump(),
            image_size=_size(options.image_size or kind.card.image_size),
            channels=_CHANNELS[options.channels],
            seed=options.seed,
            device=options.device,
            threads=options.threads,
            apply_after=options.apply,
            checkpoint_seconds=options.checkpoint_seconds,
            title=kind.card.title,
        ),
    )


def _resumed(run: Run, options: argparse.Namespace, changes: dict[str, str]) -> Run:
    spec = run.spec()
    if options.method and options.method != spec.method:
        raise InvalidInput(
            f"'{run.path}' holds a run of '{spec.method}', not of '{options.method}': "
            "name another folder with --out."
        )
    if Path(spec.folder) != options.folder.resolve():
        raise InvalidInput(
            f"'{run.path}' was trained on '{spec.folder}', not on '{options.folder.resolve()}': "
            "name that folder, or start a new run."
        )
    if changes:
        kind, _ = find_method(spec.method)
        params = kind.params_type.parse(spec.params | changes).model_dump()
        run.write_spec(spec.model_copy(update={"params": params}))
    return run


def _size(side: int) -> int:
    if not 8 <= side <= 2048:
        raise InvalidParameter(f"--image-size must be 8 to 2048 pixels, got {side}.")
    return side
