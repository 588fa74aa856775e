"""What was asked of a run, as a table: enough to do it again."""

from collections.abc import Mapping

from desktop_app.core.runs import JobSpec, Run
from desktop_app.gui.form import common_label
from desktop_app.gui.i18n import tr
from desktop_app.gui.wording import moment, spoken
from desktop_app.sdk.views import Table


def details(run: Run, spec: JobSpec) -> Table:
    """Return parameters, data and origin of a run."""
    colours = {0: tr("Auto"), 1: tr("Grey"), 3: "RGB"}
    devices = {"auto": tr("Auto"), "cpu": "CPU", "cuda": "GPU"}
    splits = {"train": tr("train"), "validation": tr("validation"), "test": tr("test")}
    left = len(spec.leave_out)
    rows = [
        (tr("Method"), spec.method),
        (tr("Folder"), spec.folder),
        (tr("Images"), splits.get(spec.split or "", spec.split) or tr("As the folder says")),
        *([(tr("Left out"), tr("{n} images", n=f"{left:,}"))] if left else []),
        (tr("Image size"), tr("{n} × {n} pixels", n=spec.image_size)),
        *([(tr("Tiles"), _tiles(spec))] if spec.tile else []),
        (tr("Colour"), colours[spec.channels]),
        (tr("Device"), devices.get(spec.device, spec.device)),
        (tr("Seed"), str(spec.seed)),
        *((common_label(name) or spoken(name), str(value)) for name, value in spec.params.items()),
        (tr("Started"), moment(spec.created)),
        (tr("Loupe"), spec.loupe),
        (tr("Run folder"), str(run.path)),
    ]
    return Table(tr("What was asked for"), (tr("Setting"), tr("Value")), rows)


def _tiles(spec: JobSpec) -> str:
    return tr("{n} × {n} pixels, overlap {m}", n=spec.tile, m=spec.overlap)


def probe_table(probe: Mapping[str, Mapping[str, float]]) -> Table:
    """Return how well labels can be read from the latents, and from what they must beat."""
    words = {
        "latents": tr("latents"),
        "pixels": tr("raw pixels"),
        "pca": "PCA-64",
        "untrained": tr("untrained"),
    }
    rows = [
        (words[key], *(_share(probe[key].get(name)) for name in ("knn", "linear")))
        for key in words
        if key in probe
    ]
    columns = (tr("Features"), "kNN", tr("Linear"))
    return Table(tr("Agreement with the labels"), columns, rows)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
