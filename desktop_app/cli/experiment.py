"""`loupe experiment`: train the variants of an experiment one after another and compare them."""

import argparse
import json
import re
import sys
from typing import Any

from desktop_app.cli.probe import print_table, share
from desktop_app.cli.progress import Progress
from desktop_app.cli.train import chosen_region, new_spec
from desktop_app.core.catalog import described_experiments
from desktop_app.core.experiments import chosen_by_name, experiment_specs, variant_name
from desktop_app.core.plugins import find_method
from desktop_app.core.refusals import made_folder
from desktop_app.core.runs import JobState, Run
from desktop_app.sdk.errors import InvalidInput
from desktop_app.worker.commands import Commands
from desktop_app.worker.interrupts import stopped_by_interrupt
from desktop_app.worker.training import train as train_run

_MOST_METRICS = 6


def experiment(options: argparse.Namespace) -> int:
    """Train every variant into a folder of its own below --out, then print a table of them."""
    kind, _ = find_method(options.method)
    chosen = chosen_by_name("experiment", options.name, described_experiments(kind))
    specs = experiment_specs(new_spec(options), str(chosen["name"]), chosen["variants"])
    for spec in specs:
        kind.params_type.parse(spec.params)
    region = chosen_region(options)
    out = made_folder(options.out.absolute())
    folders = [out / _file_name(variant_name(spec)) for spec in specs]
    for folder in folders:
        if folder.exists():
            raise InvalidInput(f"'{folder}' exists already: name a new folder with --out.")
    commands = Commands()
    rows: list[dict[str, Any]] = []
    with stopped_by_interrupt(commands):
        for spec, folder in zip(specs, folders, strict=True):
            print(f"{spec.title}:", file=sys.stderr)
            run = Run.create(folder, spec, region)
            with Progress(as_json=options.json) as show:
                state = train_run(run, commands, show)
            rows.append(_row(run, state))
            if state is JobState.STOPPED:
                break
    if options.json:
        print(json.dumps({"type": "experiment", "name": chosen["name"], "runs": rows}))
    else:
        _print(rows)
    ended = {row["state"] for row in rows}
    return 130 if JobState.STOPPED in ended else int(ended != {JobState.FINISHED})


def _row(run: Run, state: JobState) -> dict[str, Any]:
    """Return what a run ended with: last value of each metric, and its probe where labelled."""
    metrics: dict[str, float] = {}
    probe: dict[str, Any] = {}
    for event in run.events():
        if event["type"] == "metrics":
            for name, column in event["values"].items():
                told = [value for value in column if value is not None]
                metrics.update({name: told[-1]} if told else {})
        elif event["type"] == "probe":
            probe = {"latents": event["values"], **event["baselines"]}
    variant = variant_name(run.spec())
    return {
        "variant": variant,
        "state": state,
        "metrics": metrics,
        "probe": probe,
        "run": str(run.path),
    }


def _print(rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))[:_MOST_METRICS]
    probed = any(row["probe"] for row in rows)
    heading = ["variant", *names, *(["kNN", "linear"] if probed else []), "state"]
    lines = []
    for row in rows:
        metrics = [
            f"{row['metrics'][name]:.4g}" if name in row["metrics"] else "-" for name in names
        ]
        latents = row["probe"].get("latents", {})
        probe = [share(latents, "knn"), share(latents, "linear")] if probed else []
        lines.append([row["variant"], *metrics, *probe, str(row["state"])])
    if probed:
        baselines = next(row["probe"] for row in rows if row["probe"])
        for key, words in (("pixels", "(raw pixels)"), ("pca", "(PCA-64)")):
            found = baselines.get(key, {})
            blank = [""] * len(names)
            lines.append([words, *blank, share(found, "knn"), share(found, "linear"), ""])
    print_table(heading, lines)


def _file_name(variant: str) -> str:
    """Return the name of a folder for a variant."""
    return re.sub(r"[^\w.-]+", "-", variant).strip("-.") or "variant"
