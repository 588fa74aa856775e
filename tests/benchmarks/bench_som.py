"""Self-organizing maps: the batch algorithm and MiniSom, side by side on 10,000 digits.

    python tests/benchmarks/bench_som.py [IMAGES] [SIDE]

Both see the same pixels, begin on the same kind of plane, and are measured by MiniSom's own
quantisation error. MiniSom draws one image at a time: five draws per image, as in its examples.
Budget: at least five times faster at an error that is not larger.
"""

import gzip
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.events import Metrics
from plugins.som.som import SOM, SOMParams

DIGITS = Path(__file__).resolve().parents[3] / "shared/data/mnist_idx/train-images-idx3-ubyte.gz"
DRAWS = 5


def main() -> None:
    """Print seconds, quantisation and topographic error of both, and the ratio of the times."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    side = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    if not DIGITS.is_file():
        sys.exit(f"The digits are missing: expected '{DIGITS}'.")
    if find_spec("minisom") is None:
        sys.exit("MiniSom is missing: `pip install minisom`.")
    with gzip.open(DIGITS) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:count]
    points = pixels.reshape(count, -1) / 255

    ours, ours_seconds = batch_som(pixels, side)
    theirs, their_seconds = mini_som(points, side)
    print(f"{count:,} digits, {side} x {side} cells; quantisation error of both by MiniSom")
    print(f"{'':<10} {'seconds':>8} {'quantisation':>13} {'topographic':>12}")
    errors = []
    for name, seconds, weights in (
        ("batch", ours_seconds, ours),
        ("MiniSom", their_seconds, theirs),
    ):
        quantisation, topographic = measured(points, weights)
        errors.append(quantisation)
        print(f"{name:<10} {seconds:8.1f} {quantisation:13.3f} {topographic:12.3f}")
    ratio = their_seconds / ours_seconds
    verdict = "not larger" if errors[0] <= errors[1] else "LARGER"
    print(f"{ratio:.1f} times faster, error {verdict}")


def batch_som(pixels: NDArray[np.uint8], side: int) -> tuple[NDArray[np.float64], float]:
    """Return prototypes (S, S, D) and the seconds, errors of every pass included."""
    method = SOM(SOMParams(components=0, side=side))
    start = time.perf_counter()
    for event in method.fit(ArrayDataset(pixels)):
        if isinstance(event, Metrics) and event.progress == 1:
            break
    seconds = time.perf_counter() - start
    return method.prototypes.reshape(side, side, -1).astype(np.float64), seconds


def mini_som(points: NDArray[np.float64], side: int) -> tuple[NDArray[np.float64], float]:
    """Return prototypes (S, S, D) and the seconds, without measuring errors."""
    from minisom import MiniSom

    start = time.perf_counter()
    other = MiniSom(side, side, points.shape[1], sigma=side / 2, learning_rate=0.5, random_seed=0)
    other.pca_weights_init(points)
    other.train_random(points, DRAWS * len(points))
    return other.get_weights(), time.perf_counter() - start


def measured(points: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
    """Return MiniSom's quantisation and topographic error of prototypes (S, S, D)."""
    from minisom import MiniSom

    judge = MiniSom(*weights.shape)
    judge._weights = weights
    return float(judge.quantization_error(points)), float(judge.topographic_error(points))


if __name__ == "__main__":
    main()
