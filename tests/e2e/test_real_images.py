"""What was promised on real images; minutes each: `pytest -m "slow and shared" tests/e2e`."""

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import PixelCache
from desktop_app.core.runs import Run
from desktop_app.core.scoring import auroc
from desktop_app.worker.loading import channels_of
from tests.cli.conftest import Loupe, loupe

__all__ = ["loupe"]

pytestmark = [pytest.mark.slow, pytest.mark.shared, pytest.mark.timeout(3600)]

WEIGHTS = "mobilenet_v2_qat_fp16_tv.pth"
SETS = ("aws_cookies", "aws_aliens", "bsdata_ballscrew", "deeppcb_crops", "elpv_poly")


def _measures(loupe: Loupe, run: Path, folder: Path) -> dict[str, Any]:
    outcome = loupe("evaluate", run, folder, "--json", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    measures: dict[str, Any] = json.loads(outcome.out)
    return measures


@pytest.mark.parametrize(
    ("name", "image", "pixel"),
    [
        ("aws_cookies", 0.99, 0.95),
        ("bsdata_ballscrew", 0.93, None),
        ("deeppcb_crops", 0.88, None),
    ],
)
def test_patch_memory_finds_real_defects(
    loupe: Loupe,
    shared_data: Path,
    tmp_path: Path,
    name: str,
    image: float,
    pixel: float | None,
) -> None:
    weights = shared_data / "weights" / WEIGHTS

    trained = loupe(
        *("train", shared_data / name, "--method", "patch_memory", "--image-size", 224),
        *("--set", f"weights={weights}", "--device", "cpu", "--out", tmp_path / "run"),
    )

    assert trained.code == 0, trained.err
    measures = _measures(loupe, tmp_path / "run", shared_data / name)
    print(name, measures)
    assert measures["image_auroc"] >= image
    assert pixel is None or measures["pixel_auroc"] >= pixel


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("method", ["autoencoder", "vae", "pca"])
def test_reconstruction_beats_the_mean_image(
    loupe: Loupe, shared_data: Path, tmp_path: Path, method: str, name: str
) -> None:
    folder = shared_data / name

    trained = loupe(
        *("train", folder, "--method", method, "--device", "cpu", "--out", tmp_path / "run")
    )

    assert trained.code == 0, trained.err
    measured = _measures(loupe, tmp_path / "run", folder)["image_auroc"]
    baseline = _mean_image_auroc(Run.open(tmp_path / "run"), folder)
    print(method, name, measured, "mean image", baseline)
    assert measured > baseline


def _mean_image_auroc(run: Run, root: Path) -> float:
    """Return the AUROC of the squared distance from the mean training image."""
    folder = ImageFolder(root)
    table = folder.list_files()
    cache = PixelCache(folder, run.spec().image_size, channels_of(run))
    images = cache.dataset(table).images(slice(0, len(table)))
    mean = images[folder.training_rows(table, None)].mean(axis=0)
    test = np.array([split == "test" for split in table.splits])
    scores = np.square(images[test] - mean).mean(axis=(1, 2, 3))
    labels = [label for label, is_test in zip(table.labels, test, strict=True) if is_test]
    return float(auroc(scores, np.array([label != "good" for label in labels])))


def test_codes_of_digits_beat_as_many_random_projections_by_ten_points(
    loupe: Loupe, shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "mnist_idx"
    folder = tmp_path / "digits"
    for split, prefix, count in (("train", "train", 6000), ("test", "t10k", 2000)):
        images, labels = _idx(source, f"{prefix}-images"), _idx(source, f"{prefix}-labels")
        for row in range(count):
            path = folder / split / str(labels[row]) / f"{row:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[row]).save(path)

    trained = loupe(
        *("train", folder, "--method", "autoencoder", "--image-size", 28, "--split", "train"),
        *("--device", "cpu", "--out", tmp_path / "run"),
    )
    assert trained.code == 0, trained.err
    loupe("embed", tmp_path / "run", folder, "--out", tmp_path / "latents.npz")

    with np.load(tmp_path / "latents.npz", allow_pickle=False) as arrays:
        paths, labels, latents = arrays["paths"], arrays["labels"], arrays["latents"]
    train = np.array([str(path).startswith("train/") for path in paths])
    pixels = np.stack([np.asarray(Image.open(folder / str(path))).ravel() for path in paths]) / 255
    directions = np.random.default_rng(0).normal(size=(pixels.shape[1], latents.shape[1]))
    learned = _probe(latents, labels, train)
    random = _probe(pixels @ directions, labels, train)
    print("linear probe", learned, "random projections", random)
    assert learned >= random + 0.10


def _idx(folder: Path, name: str) -> NDArray[np.uint8]:
    """Return an array of an IDX file: magic number, sizes, bytes."""
    (path,) = folder.glob(f"{name}*")
    data = gzip.decompress(path.read_bytes())
    dimensions = data[3]
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _probe(values: NDArray[Any], labels: NDArray[Any], train: NDArray[np.bool_]) -> float:
    """Return the test accuracy of logistic regression on standardised values (N, D)."""
    mean, spread = values[train].mean(axis=0), values[train].std(axis=0) + 1e-9
    standard = (values - mean) / spread
    probe = LogisticRegression(max_iter=500).fit(standard[train], labels[train])
    return float(probe.score(standard[~train], labels[~train]))
