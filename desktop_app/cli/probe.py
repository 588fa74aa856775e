"""`loupe probe`: how well the labels of a folder can be read from the latents of a run."""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from desktop_app.cli.progress import Progress
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import Result, Run
from desktop_app.worker.devices import use_threads
from desktop_app.worker.narrator import Narrator
from desktop_app.worker.probing import probed_run

_FEATURES = {
    "latents": "latents",
    "pixels": "raw pixels",
    "pca": "PCA-64",
    "untrained": "untrained network",
}
"""What is measured, as it is called in a table."""


def probe(options: argparse.Namespace) -> int:
    """Print kNN and linear accuracy of latents, raw pixels, PCA-64 and the untrained network."""
    run, folder = Run.open(options.run), ImageFolder(options.folder)
    use_threads(options.threads)
    with (
        tempfile.TemporaryDirectory(prefix="loupe-") as name,
        Progress(as_json=False) as show,
        Narrator(Result(Path(name)), show) as narrator,
    ):
        found = probed_run(run, folder, narrator, device=options.device, most=options.images)
    told = found.accuracies
    if options.json:
        about = {"known": found.known, "asked": found.asked, "classes": list(found.classes)}
        print(json.dumps({**about, **told}))
        return 0
    print(f"{found.known} images known, {found.asked} asked, {len(found.classes)} classes")
    rows = [
        [words, share(told[key], "knn"), share(told[key], "linear")]
        for key, words in _FEATURES.items()
        if key in told
    ]
    print_table(["features", "kNN", "linear"], rows)
    return 0


def share(accuracies: Mapping[str, float], name: str) -> str:
    """Return an accuracy in percent, "-" where there is none."""
    return f"{accuracies[name]:.1%}" if name in accuracies else "-"


def print_table(heading: list[str], rows: list[list[str]]) -> None:
    """Print rows under a heading, the first column to the left and all others to the right."""
    lines = [heading, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    for line in lines:
        first, *others = (
            text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())
