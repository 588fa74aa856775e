"""`loupe watch`: score the images of a folder as they arrive, until it is interrupted."""

import argparse
import json
import sys
import threading
import time
from dataclasses import asdict
from typing import Any

from desktop_app.core.images import ImageFolder
from desktop_app.core.refusals import made_folder
from desktop_app.core.runs import Run
from desktop_app.core.scoring import quantile_threshold
from desktop_app.sdk.errors import InvalidInput
from desktop_app.worker.applying import apply_spec
from desktop_app.worker.commands import Commands
from desktop_app.worker.devices import chosen_device, use_threads
from desktop_app.worker.interrupts import stopped_by_interrupt
from desktop_app.worker.ownership import owned
from desktop_app.worker.watching import Seen, Watch

_QUANTILE = 0.99
"""Without a threshold, one in a hundred usual images would be flagged."""
_MOST_FOLDERS = 500  # systems tell of changes in only so many
_MOST_LISTING = 0.25  # share of the time that listing the folder may take


def watch(options: argparse.Namespace) -> int:
    """Print a line for each image that arrives, and keep its score in the run."""
    run, folder = Run.open(options.run), ImageFolder(options.folder)
    use_threads(options.threads)
    device, commands = chosen_device(options.device), Commands()
    result = run.result(folder.key)
    made_folder(result.path)
    if options.attended:
        threading.Thread(target=_follow_input, args=(commands,), daemon=True).start()
    with stopped_by_interrupt(commands), owned(result, commands):
        result.write_spec(apply_spec(run, str(folder.root), options.device, options.threads))
        session = Watch(run, folder, result, device, settle_seconds=options.settle)
        threshold = options.threshold
        if threshold is None and len(session.usual):
            threshold = quantile_threshold(session.usual, _QUANTILE)
        teller = _Teller(threshold, as_json=options.json)
        teller.begin(session)
        try:
            _go_on(session, commands, teller, options.every, options.settle)
        finally:
            session.keep()
        teller.end()
    return 0


def _go_on(
    session: Watch, commands: Commands, teller: "_Teller", every: float, settle: float
) -> None:
    """Look at the folder again and again, and whenever it is said to have changed, until "stop".

    While a file is being written the next look comes as soon as that may have ended.
    """
    least, pause = 0.0, 0.0
    while not _is_stopped(commands, least, pause):
        began = time.monotonic()
        try:
            for seen in session.look():
                teller.images(seen)
                began = time.monotonic()
                if _is_stopped(commands, 0.0, 0.0):
                    return
            teller.folder_is_there()
            teller.folders(session.folders)
        except InvalidInput as problem:
            teller.folder_is_away(str(problem))
        least = (time.monotonic() - began) * (1 / _MOST_LISTING - 1)
        pause = max(least, min(every, settle / 2) if session.waiting else every)


def _is_stopped(commands: Commands, least: float, pause: float) -> bool:
    """Wait for a pause, which "look" ends after `least` seconds; tell whether "stop" came."""
    began, wanted = time.monotonic(), False
    while True:
        end = began + (least if wanted else pause)
        command = commands.next(max(0.0, end - time.monotonic()))
        if command == "stop":
            return True
        wanted = wanted or command == "look"
        if command is None and time.monotonic() >= began + (least if wanted else pause):
            return False


def _follow_input(commands: Commands) -> None:
    """Take wishes from whoever started this process; stop when they let go of it."""
    for line in sys.stdin:
        if line.strip() == "look":
            commands.put("look")
    commands.put("stop")


class _Teller:
    """Says what happens, in words or as lines of JSON."""

    def __init__(self, threshold: float | None, *, as_json: bool) -> None:
        self._threshold = threshold
        self._as_json = as_json
        self._counts = {"images": 0, "flagged": 0, "problems": 0}
        self._is_away = False
        self._folders: frozenset[str] = frozenset()

    def begin(self, session: Watch) -> None:
        """Tell what is compared with."""
        facts = {
            "threshold": self._threshold,
            "usual": len(session.usual),
            "known": session.known,
        }
        threshold = "none" if self._threshold is None else f"{self._threshold:.4g}"
        words = f"Watching: {session.known} images are scored already; threshold {threshold}."
        self._tell("watching", facts, words, sys.stderr)

    def images(self, seen: list[Seen]) -> None:
        """Tell about images that arrived."""
        for one in seen:
            score = one.score
            flagged = score is not None and self._threshold is not None and score >= self._threshold
            kind = "image" if score is not None else "problem"
            self._counts["images" if score is not None else "problems"] += 1
            self._counts["flagged"] += flagged
            self._tell(kind, {**asdict(one), "flagged": flagged}, _line(one, flagged), sys.stdout)

    def folder_is_away(self, problem: str) -> None:
        """Tell once that the folder cannot be listed."""
        if not self._is_away:
            self._tell("away", {"problem": problem}, f"{problem} Waiting for it.", sys.stderr)
        self._is_away = True

    def folder_is_there(self) -> None:
        """Tell that the folder can be listed again."""
        if self._is_away:
            self._tell("back", {}, "The folder is there again.", sys.stderr)
        self._is_away = False

    def folders(self, folders: frozenset[str]) -> None:
        """Tell a machine in which folders images may arrive, whenever these are others."""
        if self._as_json and folders != self._folders:
            some = sorted(folders, key=lambda path: (path.count("/"), path))[:_MOST_FOLDERS]
            self._tell("folders", {"folders": some}, "", sys.stdout)
        self._folders = folders

    def end(self) -> None:
        """Tell what there was in all."""
        counts = self._counts
        words = (
            f"Ended: {counts['images']} images scored, {counts['flagged']} flagged, "
            f"{counts['problems']} could not be read. The scores are kept in the run."
        )
        self._tell("ended", counts, words, sys.stderr)

    def _tell(self, kind: str, facts: dict[str, Any], words: str, stream: Any) -> None:
        if self._as_json:
            now = round(time.time(), 3)
            print(json.dumps({"type": kind, "time": now, **facts}), flush=True)
        else:
            print(words, file=stream, flush=True)


def _line(one: Seen, flagged: bool) -> str:
    now = time.strftime("%H:%M:%S")
    if one.score is None:
        return f"{now}  {'cannot be read':26}  {one.path}  {one.problem}"
    share = "" if one.share is None else f"{100 * one.share:.1f} %"
    mark = "flagged" if flagged else ""
    again = "  (replaced)" if one.is_replaced else ""
    return f"{now}  {one.score:10.4g}  {share:>7}  {mark:7}  {one.path}{again}"
