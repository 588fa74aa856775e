"""Sub-commands and their options."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from desktop_app import __version__

SYNTHETIC = "synthetic"
"""The threshold that is found by made defects."""

_DESCRIPTION = """\
Loupe: an offline workbench for unsupervised deep learning on folders of images.

  loupe [WORKSPACE|FOLDER]   open the window
  loupe demo                 try everything on the built-in sample
  loupe train FOLDER ...     train a method on a folder of images
  loupe score RUN FOLDER     rank images by how unusual they are
  loupe embed RUN FOLDER     write latent vectors
  loupe cluster RUN FOLDER   write the cluster of each image, or copy images into folders
  loupe export RUN           write the encoder for other programs
  loupe evaluate RUN FOLDER  measure scores and maps against labels and masks
  loupe report RUN [FOLDER]  write what was found as HTML or PDF
  loupe compare FOLDER RUN RUN ...  see how far runs agree
  loupe group RUN FOLDER     group the most unusual images by what is unusual about them
  loupe watch RUN FOLDER     score images as they arrive
  loupe probe RUN FOLDER     see how well labels can be read from latents
  loupe experiment FOLDER ...  train variants of a method and compare them
  loupe methods              list the methods
  loupe describe             describe the methods for the window, with problems of plugins
  loupe index FOLDER         list a folder: counts, labels, problems

Every sub-command explains itself: loupe train --help
"""


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; `command` names a module of this package and its function."""
    first = next((word for word in arguments if not word.startswith("-")), "")
    parser = (
        _commands() if first in _COMMANDS or "-h" in arguments or "--help" in arguments else None
    )
    return (parser or _window()).parse_args(arguments)


def _window() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loupe", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"loupe {__version__}")
    parser.add_argument("path", nargs="?", type=Path, help="a workspace, or a folder of images")
    parser.set_defaults(command=("window", "open_window"))
    return parser


def _commands() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loupe", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, function, text, add) in _COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        add(command)
        command.set_defaults(command=(module, function))
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--headless", action="store_true", help="write screenshots, scores and a report to files"
    )
    parser.add_argument("--out", type=Path, help="folder for what --headless writes")
    parser.add_argument("--method", default="patch_memory", help="method to train (patch_memory)")


def _add_methods(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def _add_describe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="write the description to a file")
    parser.add_argument("--skip", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--journal", type=Path, help=argparse.SUPPRESS)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of images")
    parser.add_argument("--method", help="name of the method, see `loupe methods`")
    _add_training(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="RUN_DIR", help="run folder")
    parser.add_argument("--resume", action="store_true", help="continue what RUN_DIR holds")


def _add_experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of images")
    parser.add_argument("--method", required=True, help="name of the method")
    parser.add_argument(
        "--name", required=True, help="experiment of the method, see `loupe methods --json`"
    )
    _add_training(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for a run of each variant"
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", metavar="NAME", help="parameters that suit a kind of images")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="assignments",
        help="value of a parameter of the method; may be given several times",
    )
    parser.add_argument("--image-size", type=_count, metavar="S", help="side in pixels")
    parser.add_argument(
        "--tile",
        type=_count,
        metavar="T",
        help="cut images into tiles of this side and learn from these: for defects that are small "
        "in large images; scores and heat maps are of whole images",
    )
    parser.add_argument(
        "--overlap",
        type=_count,
        metavar="PIXELS",
        help="pixels that neighbouring tiles share at least (an eighth of a tile)",
    )
    parser.add_argument("--channels", choices=("auto", "grey", "rgb"), help="colours (auto)")
    parser.add_argument("--seed", type=_count, metavar="N", help="seed of all random numbers (0)")
    parser.add_argument("--split", help="train on the images of this split alone")
    parser.add_argument(
        "--leave-out",
        type=Path,
        metavar="FILE",
        help="do not train on the images that FILE names, a path below FOLDER on each line",
    )
    parser.add_argument(
        "--region",
        type=Path,
        metavar="MASK",
        help="only what is white in this image counts, stretched over images of any size: nothing "
        "else is learned from, scored or measured",
    )
    parser.add_argument(
        "--ignore",
        type=Path,
        metavar="MASK",
        help="what is white in this image does not count",
    )
    parser.add_argument(
        "--hold-out",
        type=_share,
        metavar="SHARE",
        help="keep this share of the training images back, to know the scores of unseen ones (0)",
    )
    parser.add_argument(
        "--folds",
        type=_folds,
        metavar="K",
        help="score every training image by a method that has not seen it: train K more times, "
        "each without one part",
    )
    parser.add_argument(
        "--apply", action="store_true", help="afterwards look at all images, for the window"
    )
    parser.add_argument(
        "--checkpoint-seconds", type=_seconds, metavar="S", help="time between checkpoints (30)"
    )
    _add_machine(parser)
    parser.set_defaults(device=None, threads=None)  # a resumed run keeps its own


def _add_score(parser: argparse.ArgumentParser) -> None:
    _add_use(parser)
    parser.add_argument("--maps", type=Path, metavar="DIR", help="write heat maps as .npy and .png")
    _add_thresholds(parser)
    parser.add_argument("--out", type=Path, required=True, help="CSV with path, label, score")


def _add_embed(parser: argparse.ArgumentParser) -> None:
    _add_use(parser)
    parser.add_argument(
        "--out", type=Path, required=True, help="features as .npz, .csv or .parquet"
    )


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    _add_use(parser)
    parser.add_argument("--out", type=Path, required=True, help="CSV with path, label, cluster")
    parser.add_argument(
        "--copy-to", type=Path, metavar="DIR", help="copy the images into a folder per cluster"
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="run folder of a training")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="file ending in .pt2 (torch.export), .ts or .pt (TorchScript), or .onnx",
    )
    parser.add_argument(
        "--folder", type=Path, help="images that the file is checked with (those of the training)"
    )
    _add_threads(parser)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_use(parser)
    _add_thresholds(parser)
    parser.add_argument(
        "--full",
        action="store_true",
        help="also say how sure the measures are, how well scores become probabilities, and what "
        "the mean image and principal components reach",
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="run folder of a training")
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="FOLDER",
        help="folder of images (the one that the run was trained on)",
    )
    _add_thresholds(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file ending in .html or .pdf"
    )
    _add_machine(parser)


def _add_thresholds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        type=_threshold,
        metavar="T",
        help="images with a score of T or more fail; 'synthetic': the score that tells defects "
        "made in normal images of the training, held out where there are such, best from these",
    )
    parser.add_argument(
        "--review",
        type=float,
        metavar="R",
        help="images with a score of R or more, below --threshold, are for review",
    )


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of images")
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN_DIR", help="two or more run folders"
    )
    parser.add_argument("--split", help="use the images of this split alone")
    parser.add_argument(
        "--out", type=Path, help="CSV with the rank of each image by each run and by all together"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="RUN_DIR",
        help="keep the ensemble by rank as a run, to look at, score with and evaluate like others",
    )
    _add_machine(parser)


def _add_group(parser: argparse.ArgumentParser) -> None:
    _add_use(parser)
    parser.add_argument(
        "--top", type=_count, default=100, metavar="N", help="group the N most unusual images (100)"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="SCORE",
        help="group the images with this score or a higher one instead",
    )
    parser.add_argument(
        "--groups", type=_count, metavar="K", help="number of groups (the clearest one)"
    )
    parser.add_argument(
        "--by",
        choices=("region", "latents", "both"),
        default="region",
        help="colour, edges and shape of what is unusual, or its latents (region)",
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV with path, label, cluster")


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="run folder of a training")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder in which images arrive")
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="SCORE",
        help="flag images with this score or a higher one (that which one in a hundred usual "
        "images reaches)",
    )
    parser.add_argument(
        "--every", type=_seconds, default=1.0, metavar="S", help="seconds between two looks (1)"
    )
    parser.add_argument(
        "--settle",
        type=_seconds,
        default=1.0,
        metavar="S",
        help="seconds for which a file must not have changed: else it is being written (1)",
    )
    parser.add_argument("--attended", action="store_true", help=argparse.SUPPRESS)
    _add_machine(parser)


def _add_use(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="run folder of a training")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of images")
    parser.add_argument("--split", help="use the images of this split alone")
    _add_machine(parser)


def _add_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="run folder of a training")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of labelled images")
    parser.add_argument(
        "--images", type=_count, default=1000, metavar="N", help="images that are looked at (1000)"
    )
    _add_machine(parser)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ... (auto)")
    _add_threads(parser)


def _add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads", type=_count, default=0, metavar="N", help="threads of torch (all cores)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def _add_worker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="RUN_DIR", help="job folder with a spec.json")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="run folder of a training")
    parser.add_argument("folder", metavar="FOLDER", help="folder of images")
    parser.add_argument("--address", required=True, help="where to listen")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ...")
    parser.add_argument("--threads", type=_count, default=0, help="threads of torch")


def _add_index(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of images")
    parser.add_argument("--workers", type=_count, default=2, help="threads that decode (2)")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def _count(text: str) -> int:
    return int(_not_negative(text, int, "a whole number"))


def _seconds(text: str) -> float:
    return _not_negative(text, float, "a number")


def _threshold(text: str) -> float | str:
    if text == SYNTHETIC:
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a score or '{SYNTHETIC}', got '{text}'")
    return value


def _share(text: str) -> float:
    value = _not_negative(text, float, "a share")
    if value > 0.5:
        raise argparse.ArgumentTypeError(f"must be a share of 0 to 0.5, got '{text}'")
    return value


def _folds(text: str) -> int:
    value = int(_not_negative(text, int, "a whole number"))
    if value == 1 or value > 50:
        raise argparse.ArgumentTypeError(f"must be 2 to 50 parts, or 0 for none, got '{text}'")
    return value


def _not_negative(text: str, kind: Callable[[str], float], words: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = -1
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be {words} of 0 or more, got '{text}'")
    return value


_COMMANDS: dict[str, tuple[str, str, str, Callable[[argparse.ArgumentParser], None]]] = {
    "demo": ("demo", "demo", "Train on the built-in sample and show the result.", _add_demo),
    "methods": ("methods", "methods", "List the methods.", _add_methods),
    "describe": ("methods", "describe", "Describe all plugins, with problems.", _add_describe),
    "train": ("train", "train", "Train a method on a folder of images.", _add_train),
    "score": ("use", "score", "Rank images by how unusual they are.", _add_score),
    "embed": ("use", "embed", "Write the latent vectors of images.", _add_embed),
    "cluster": ("use", "cluster", "Write the cluster of each image.", _add_cluster),
    "export": ("use", "export", "Write the encoder for other programs.", _add_export),
    "evaluate": (
        "use",
        "evaluate",
        "Measure scores and maps against labels and masks of folders.",
        _add_evaluate,
    ),
    "report": (
        "report",
        "report",
        "Write settings, measures, curves and the most unusual images as HTML or PDF.",
        _add_report,
    ),
    "compare": (
        "compare",
        "compare",
        "See how far several runs agree on what is unusual, and what they say together.",
        _add_compare,
    ),
    "group": (
        "group",
        "group",
        "Group the most unusual images by what is unusual about them.",
        _add_group,
    ),
    "watch": (
        "watch",
        "watch",
        "Score the images of a folder as they arrive, until it is interrupted.",
        _add_watch,
    ),
    "probe": (
        "probe",
        "probe",
        "Measure how well labels can be read from the latents of a run.",
        _add_probe,
    ),
    "experiment": (
        "experiment",
        "experiment",
        "Train the variants of an experiment one after another and compare them.",
        _add_experiment,
    ),
    "index": ("index", "index", "List a folder: counts, labels, problems.", _add_index),
    "worker": ("worker", "worker", "Do the job of a folder (used by the window).", _add_worker),
    "serve": ("worker", "serve", "Answer questions (used by the window).", _add_serve),
}
