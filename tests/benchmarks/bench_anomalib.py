"""Loupe beside anomalib 2.7: the same images, size, weight file and machine, in one run.

    python -m tests.benchmarks.bench_anomalib FOLDER --weights FILE [--method patch_memory padim]

FOLDER is in MVTec layout, FILE holds the weights of a torchvision mobilenet_v2. anomalib is
installed into an environment of its own, which borrows torch from this one. The methods of both are
driven by a plain loop in a process of their own, without the programs around them. Times are those
of the processor, with one thread and without imports, the decoding of the files included. Memory is
the peak of the process, its libraries included, and what it grew by after they were imported.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.decoding import decode
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


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def batches(paths):
    for start in range(0, len(paths), 16):
        images = []
        for path in paths[start : start + 16]:
            picture = Image.open(path).convert("RGB").resize((wish["size"],) * 2, Image.BILINEAR)
            images.append(torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255)
        yield (torch.stack(images) - mean) / std


before = peak()
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
    "peak_mb": peak(),
    "grown_mb": peak() - before,
}))
"""


@dataclass(frozen=True)
class Figures:
    """What one program needed and reached."""

    fit_s: float
    predict_s: float
    peak_mb: float
    grown_mb: float
    image_auroc: float | None
    pixel_auroc: float | None


def main() -> None:
    """Measure both and print a table."""
    if sys.argv[1:] == ["--child"]:
        _loupe(json.load(sys.stdin))
        return
    options = _options()
    python = _environment(options.env)
    for method in options.method:
        own = [sys.executable, "-m", "tests.benchmarks.bench_anomalib", "--child"]
        ours = _measured(own, method, options)
        theirs = _measured([str(python), "-c", CHILD], method, options)
        print(f"\n{method}, {options.folder.name}, {options.size} px")
        print(f"{'':14}{'Loupe':>12}{'anomalib':>12}{'ratio':>10}")
        for name in ("fit_s", "predict_s", "peak_mb", "grown_mb"):
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


def _measured(command: list[str], method: str, options: argparse.Namespace) -> Figures:
    """Return what a process needs that is told the images, and what its answers are worth."""
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
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as name:
        place = Path(name)
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
            command,
            input=json.dumps(wish),
            env=_environ(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        scores, maps = np.load(place / "scores.npy"), np.load(place / "maps.npy")
    told = json.loads(done.stdout.splitlines()[-1])
    tests = np.flatnonzero(np.array(table.splits) == "test")
    masks = MaskColumn(folder, [table.masks[row] for row in tests], options.size)
    reached = evaluate(scores, [table.labels[row] for row in tests], maps, masks)
    return Figures(**told, image_auroc=reached.image_auroc, pixel_auroc=reached.pixel_auroc)


def _loupe(wish: dict[str, Any]) -> None:
    """Fit and look at images as `loupe train` and `loupe score` do; print what it took."""
    import torch
    import torchvision.models  # noqa: F401 - an import, which the other process has made as well

    from desktop_app.sdk.data import ArrayDataset, as_images
    from plugins.padim.padim import PaDiM, PaDiMParams
    from plugins.patch_memory.patch_memory import PatchMemory, PatchMemoryParams

    torch.set_num_threads(1)
    values: dict[str, Any] = {"weights": wish["weights"]}
    method: PatchMemory | PaDiM
    if wish["method"] == "patch_memory":
        values["coreset_share"] = wish["share"]
        method = PatchMemory(PatchMemoryParams.parse(values))
    else:
        method = PaDiM(PaDiMParams.parse(values))

    def read(paths: list[str]) -> NDArray[np.uint8]:
        decoded = [decode(Path(path), wish["size"], 3) for path in paths]
        return np.ascontiguousarray(np.stack(decoded).transpose(0, 3, 1, 2))

    before = _peak()
    began = time.process_time()
    for _ in method.fit(ArrayDataset(read(wish["train"]))):
        pass
    fitted = time.process_time()
    found = [
        method.inspect(as_images(read(wish["test"][start : start + 16])))
        for start in range(0, len(wish["test"]), 16)
    ]
    done = time.process_time()
    np.save(wish["scores"], np.concatenate([scores for scores, _ in found]))
    np.save(wish["maps"], np.concatenate([maps for _, maps in found]).astype(np.float32))
    times = {"fit_s": fitted - began, "predict_s": done - fitted}
    print(json.dumps(times | {"peak_mb": _peak(), "grown_mb": _peak() - before}))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _environ() -> dict[str, Any]:
    return dict(os.environ) | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONPATH": str(ROOT)}


def _text(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.4f}':>12}"


if __name__ == "__main__":
    main()
