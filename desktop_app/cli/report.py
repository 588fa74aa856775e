"""`loupe report`: what a run found in a folder, as one HTML or PDF file."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from desktop_app.cli.progress import Progress
from desktop_app.cli.use import chosen_thresholds, require_file
from desktop_app.core.columns import ResultColumns, result_columns
from desktop_app.core.images import ImageFolder, ImageTable
from desktop_app.core.reports import report_format
from desktop_app.core.runreport import ReportRequest, report_steps
from desktop_app.core.runs import Result, Run
from desktop_app.sdk.capabilities import Scores
from desktop_app.worker.applying import apply_run
from desktop_app.worker.devices import use_threads
from desktop_app.worker.loading import require_capability
from desktop_app.worker.narrator import Narrator


def report(options: argparse.Namespace) -> int:
    """Write the report; images that the run has not scored yet are scored first."""
    require_file(options.out)
    report_format(options.out)
    thresholds, basis = chosen_thresholds(options)
    run = Run.open(options.run)
    folder = ImageFolder(options.folder or Path(run.spec().folder))
    use_threads(options.threads)
    require_capability(run, Scores, "score images")
    with tempfile.TemporaryDirectory(prefix="loupe-") as name, Progress(as_json=False) as show:
        kept = run.result(folder.key)
        table, columns = folder.table(), None
        if kept.is_complete:
            columns = result_columns(run, kept, table)
        if columns is None or not _has_all(columns, table):
            result = Result(Path(name))
            with Narrator(result, show) as narrator:
                apply_run(
                    run,
                    folder,
                    result,
                    narrator,
                    options.device,
                    wanted={"scores", "maps"},
                    foretell=True,
                )
            table = folder.table()
            columns = result_columns(run, result, table)
        title = run.spec().title or run.spec().method
        request = ReportRequest(folder, table, columns, title, thresholds, basis)
        for done, total in report_steps(request, options.out):
            show({"type": "progress", "what": "Writing the report", "done": done, "total": total})
    if options.json:
        print(json.dumps({"out": str(options.out)}))
    else:
        print(f"The report is in {options.out}", file=sys.stderr)
    return 0


def _has_all(columns: ResultColumns, table: ImageTable) -> bool:
    """Tell whether a result holds a score of every image that can be used."""
    if columns.scores is None or not len(table):
        return False
    usable = np.array([problem == "" for problem in table.problems], dtype=np.bool_)
    return bool(np.isfinite(columns.scores[usable]).all())
