"""`loupe demo`: the whole main job on the built-in sample."""

import argparse
import os
import sys
from pathlib import Path

from desktop_app.cli.progress import Progress
from desktop_app.cli.use import print_measures, write_scores
from desktop_app.cli.window import has_display, show_window
from desktop_app.core.columns import result_columns
from desktop_app.core.files import write_json
from desktop_app.core.images import ImageFolder
from desktop_app.core.plugins import find_method
from desktop_app.core.refusals import made_folder
from desktop_app.core.runreport import ReportRequest, evaluation_of, report_steps
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.core.sample import write_sample
from desktop_app.core.settings import data_dir
from desktop_app.core.workspace import Workspace, default_workspace
from desktop_app.sdk.errors import LoupeError
from desktop_app.worker.commands import Commands
from desktop_app.worker.interrupts import stopped_by_interrupt
from desktop_app.worker.training import train

_SIZE = 128


def demo(options: argparse.Namespace) -> int:
    """Make the sample, train, and show the result in the window or in files."""
    headless = options.headless or not has_display()
    if headless and not options.headless:
        print("There is no display: writing to files what the window would show.", file=sys.stderr)
    folder = _sample()
    workspace = default_workspace()
    run = _trained(workspace, folder, options.method)
    if not headless:
        print("Opening the window on the result.", file=sys.stderr)
        return show_window(run=run)
    return _write(run, workspace, folder, (options.out or Path("loupe-demo")).absolute())


def _sample() -> Path:
    with Progress(as_json=False) as show:

        def told(done: int, total: int) -> None:
            show({"type": "progress", "what": "Making the sample", "done": done, "total": total})

        return write_sample(data_dir() / "sample", progress=told)


def _trained(workspace: Workspace, folder: Path, method: str) -> Run:
    """Return a finished run of the method on the sample; trained now unless it is there."""
    kind, _ = find_method(method)
    for path in workspace.runs():
        run = Run(path)
        if run.state() is JobState.FINISHED and _is_demo(run.spec(), folder, method):
            print(f"Using the trained run {path}", file=sys.stderr)
            return run
    spec = JobSpec(
        folder=str(folder),
        method=method,
        params=kind.params_type().model_dump(),
        image_size=_SIZE,
        title=kind.card.title,
        apply_after=True,
    )
    run = Run.create(workspace.new_run_dir(method), spec)
    commands = Commands()
    problem = ""
    with Progress(as_json=False) as show, stopped_by_interrupt(commands):

        def observe(line: dict[str, object]) -> None:
            nonlocal problem
            problem = str(line.get("detail") or problem)
            show(line)

        state = train(run, commands, observe)
    if state is not JobState.FINISHED:
        raise LoupeError(problem or f"The training ended as '{state}'.")
    return run


def _is_demo(spec: JobSpec, folder: Path, method: str) -> bool:
    return spec.method == method and Path(spec.folder) == folder and spec.image_size == _SIZE


def _write(run: Run, workspace: Workspace, folder: Path, target: Path) -> int:
    """Write scores, measures, a report and screenshots, and say where they are."""
    made_folder(target)
    request = _request(run, ImageFolder(folder))
    scores = request.result.scores
    if scores is None:
        raise LoupeError(f"'{run.spec().method}' gives no scores: name another with --method.")
    write_scores(target / "scores.csv", request.table.paths, request.table.labels, scores)
    measures = evaluation_of(request)
    write_json(target / "evaluation.json", measures.as_json())
    print_measures(measures, as_json=False)
    with Progress(as_json=False) as show:
        for done, total in report_steps(request, target / "report.html"):
            show({"type": "progress", "what": "Writing the report", "done": done, "total": total})
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from desktop_app.gui.screenshots import write_screenshots

    for theme in ("dark", "light"):
        write_screenshots(run, workspace, target, theme)
    print(f"Scores, measures, a report and screenshots are in {target}")
    return 0


def _request(run: Run, folder: ImageFolder) -> ReportRequest:
    table = folder.table()
    result = result_columns(run, run.result(folder.key), table)
    return ReportRequest(folder, table, result, run.spec().title)
