"""Loupe beside anomalib 2.7: the same images, size, weight file and machine, in one run.

    python -m tests.benchmarks.bench_anomalib FOLDER --weights FILE [--method patch_memory padim]

FOLDER is in MVTec layout, FILE holds the weights of a torchvision mobilenet_v2. anomalib is
installed into an environment of its own, which borrows torch from this one. Its torch models are
driven by a plain loop, without the engine around them, so that what is measured is the method.
Times are those of the processor, one thread each: for Loupe of whole processes, with their start
and the decoding of the files; for anomalib without imports. Memory is the peak of a process.
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from desktop_app.core.images import ImageFolder
from desktop_app.core.masks import MaskColumn
from desktop_app.core.scoring import evaluate

ROOT = Path(__file__).resolve().parents[2]
ANOMALIB = "anomalib>=2.7,<2.8"
LAYERS = {"patch_memory": (3, 6, 13), "padim": (3, 6, 13)}

CHILD = """
import json, resource, sys, time
import numpy as np
import torch
from PIL import Image
from torchvision.models import mobilenet_v2

wish = json.load(sys.stdin)
torch.set_num_threads(1)
torch.manual_seed(0)
backbone = mobilenet_v2()
backbone.load_state_dict(torch.load(wish["weights"], map_location="cpu", weights_only=True))
backbone.eval()
layers = [f"features.{number}" for number in wish["layers"]]
if wish["method"] == "patch_memory":
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel
    model = PatchcoreModel(layers=layers, backbone=backbone)
else:
    from anomalib.models.image.padim.torch_model import PadimModel
    model = PadimModel(backbone=backbone, layers=layers, n_features=100)
mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def batches(paths):
    for start in range(0, len(paths), 16):
        images = []
        for path in paths[start : start + 16]:
            picture = Image.open(path).convert("RGB").resize((wish["size"],) * 2, Image.BILINEAR)
            images.append(torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255)
        yield (torch.stack(images) - mean) / std


began = time.process_time()
model.train()
model.feature_extractor.eval()
with torch.no_grad():
    for batch in batches(wish["train"]):
        model(batch)
    if wish["method"] == "patch_memory":
        model.subsample_embedding(wish["share"])
    elif hasattr(model, "fit"):
        model.fit()
    else:
        model.stats = model.gaussian.fit(torch.vstack(model.memory_bank))
fitted = time.process_time()
model.eval()
scores, maps = [], []
with torch.no_grad():
    for batch in batches(wish["test"]):
        answer = model(batch)
        scores.append(answer.pred_score.flatten().numpy())
        maps.append(answer.anomaly_map.reshape(len(batch), wish["size"], wish["size"]).numpy())
done = time.process_time()
np.save(wish["scores"], np.concatenate(scores))
np.save(wish["maps"], np.concatenate(maps).astype(np.float32))
print(json.dumps({
    "fit_s": fitted - began,
    "predict_s": done - fitted,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


@dataclass(frozen=True)
class Figures:
    """What one program needed and reached."""

    fit_s: float
    predict_s: float
    peak_mb: float
    image_auroc: float | None
    pixel_auroc: float | None


def main() -> None:
    """Measure both and print a table."""
    options = _options()
    python = _environment(options.env)
    for method in options.method:
        with tempfile.TemporaryDirectory(prefix="loupe-bench-") as place:
            theirs = _anomalib(python, method, options, Path(place))
            ours = _loupe(method, options, Path(place))
        print(f"\n{method}, {options.folder.name}, {options.size} px")
        print(f"{'':14}{'Loupe':>12}{'anomalib':>12}{'ratio':>10}")
        for name in ("fit_s", "predict_s", "peak_mb"):
            own, other = getattr(ours, name), getattr(theirs, name)
            print(f"{name:14}{own:12.1f}{other:12.1f}{own / other:10.3f}")
        for name in ("image_auroc", "pixel_auroc"):
            print(f"{name:14}{_text(getattr(ours, name))}{_text(getattr(theirs, name))}")
        print(flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--method", nargs="+", choices=list(LAYERS), default=["patch_memory"])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--share", type=float, default=0.1, help="of patches kept (0.1)")
    parser.add_argument("--env", type=Path, default=Path(tempfile.gettempdir()) / "loupe-anomalib")
    return parser.parse_args()


def _environment(folder: Path) -> Path:
    """Return the Python of an environment that holds anomalib; make it when it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"Installing anomalib into {folder} …", flush=True)
        venv.create(folder, with_pip=True)
        answer = subprocess.run(
            [python, "-c", 'import sysconfig; print(sysconfig.get_path("purelib"))'],
            capture_output=True,
            text=True,
            check=True,
        )
        borrowed = Path(answer.stdout.strip()) / "zz-borrowed.pth"
        borrowed.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        subprocess.run([python, "-m", "pip", "install", "-q", ANOMALIB], check=True)
    return python


def _anomalib(python: Path, method: str, options: argparse.Namespace, place: Path) -> Figures:
    folder = ImageFolder(options.folder)
    table = folder.list_files()
    paths = {
        split: [
            str(folder.absolute(path))
            for path, own in zip(table.paths, table.splits, strict=True)
            if own == split
        ]
        for split in ("train", "test")
    }
    wish = {
        "method": method,
        "layers": LAYERS[method],
        "weights": str(options.weights.resolve()),
        "size": options.size,
        "share": options.share,
        "scores": str(place / "scores.npy"),
        "maps": str(place / "maps.npy"),
        **paths,
    }
    done = subprocess.run(
        [python, "-c", CHILD],
        input=json.dumps(wish),
        env=_environ(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    tests = np.flatnonzero(np.array(table.splits) == "test")
    masks = MaskColumn(folder, [table.masks[row] for row in tests], options.size)
    labels = [table.labels[row] for row in tests]
    maps = np.load(place / "maps.npy")
    reached = evaluate(np.load(place / "scores.npy"), labels, maps, masks)
    return Figures(**told, image_auroc=reached.image_auroc, pixel_auroc=reached.pixel_auroc)


def _loupe(method: str, options: argparse.Namespace, place: Path) -> Figures:
    run, home = place / "run", place / "home"
    wishes = [f"weights={options.weights.resolve()}"]
    if method == "patch_memory":
        wishes.append(f"coreset_share={options.share}")
    train = ["train", str(options.folder), "--method", method, "--out", str(run)]
    train += ["--image-size", str(options.size), "--threads", "1", "--device", "cpu"]
    train += [word for wish in wishes for word in ("--set", wish)]
    fitted = _timed(train, home)
    evaluated = _timed(
        ["evaluate", str(run), str(options.folder), "--json", "--threads", "1"], home
    )
    reached = json.loads(evaluated[2])
    return Figures(
        fit_s=fitted[0],
        predict_s=evaluated[0],
        peak_mb=max(fitted[1], evaluated[1]),
        image_auroc=reached["image_auroc"],
        pixel_auroc=reached["pixel_auroc"],
    )


def _timed(arguments: list[str], home: Path) -> tuple[float, float, str]:
    """Run a command of Loupe; return processor seconds, peak megabytes and its output."""
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "desktop_app", *arguments],
            cwd=ROOT,
            env=_environ() | {"LOUPE_HOME": str(home)},
            stdout=output,
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"loupe {arguments[0]} ended with code {child.returncode}.")
        output.seek(0)
        return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output.read()


def _environ() -> dict[str, Any]:
    return dict(os.environ) | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONPATH": str(ROOT)}


def _text(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.4f}':>12}"


if __name__ == "__main__":
    main()
