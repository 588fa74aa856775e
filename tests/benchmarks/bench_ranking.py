"""Ranking folders of large images with a trained patch memory: time, memory, and what was foretold.

    python -m tests.benchmarks.bench_ranking            # 500, 1,000 and 2,000 images of 1,024 px

Each folder is ranked by `loupe score` in a process of its own, decoding included. Beside the time
and the most memory stands what the program foretold after its first images.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.bench_pixels import make_images

ROOT = Path(__file__).resolve().parents[2]
_FORETOLD = re.compile(r"about ([\d.]+) (s|min) and ([\d,]+) MB")


def main() -> None:
    """Make images, train once, and rank folders of rising size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--side", type=int, default=1024, help="pixels of the made images")
    parser.add_argument("--size", type=int, default=224, help="pixels at which is trained")
    parser.add_argument("--weights", type=Path, help="of a torchvision network")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as name:
        place = Path(name)
        normals, run = place / "normals", place / "run"
        make_images(normals, 60, options.side, "jpg")
        train = ["train", str(normals), "--method", "patch_memory", "--out", str(run)]
        train += ["--image-size", str(options.size)]
        if options.weights:
            train += ["--set", f"weights={options.weights.resolve()}"]
        loupe(train, place)
        titles = ("time", "per image", "foretold", "memory", "foretold")
        print(f"{'images':>8}" + "".join(f"{title:>12}" for title in titles))
        for count in options.images:
            folder = place / f"of-{count}"
            make_images(folder, count, options.side, "jpg")
            seconds, peak, told = loupe(
                ["score", str(run), str(folder), "--out", str(place / "scores.csv")], place
            )
            found = _FORETOLD.search(told)
            foretold = ("-", "-") if found is None else (f"{found[1]} {found[2]}", f"{found[3]} MB")
            print(
                f"{count:8,}{seconds:10.1f} s{1000 * seconds / count:9.1f} ms{foretold[0]:>12}"
                f"{peak:9,.0f} MB{foretold[1]:>12}",
                flush=True,
            )


def loupe(arguments: list[str], place: Path) -> tuple[float, float, str]:
    """Run a command; return its seconds, its most memory in MB, and what it told meanwhile."""
    began = time.perf_counter()
    with (place / "told.txt").open("w+", encoding="utf-8") as told:
        child = subprocess.Popen(
            [sys.executable, "-m", "desktop_app", *arguments],
            cwd=ROOT,
            env=dict(os.environ) | {"LOUPE_HOME": str(place / "home"), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=told,
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        text = told.read()
    if child.returncode:
        raise SystemExit(f"loupe {arguments[0]} ended with code {child.returncode}:\n{text}")
    return time.perf_counter() - began, used.ru_maxrss / 1024, text


if __name__ == "__main__":
    main()
