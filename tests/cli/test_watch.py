"""`loupe watch` as a process: it is started, fed and interrupted like one."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from desktop_app.core.columns import score_column
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import Run
from tests.architecture.blocking import ROOT
from tests.cli.conftest import Loupe

THREADS = ("--threads", 1, "--device", "cpu")


def started(run: Run, folder: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "desktop_app", "watch", str(run.path), str(folder)]
    command += ["--json", "--every", "0.05", "--settle", "0.1", "--threads", "1"]
    return subprocess.Popen(
        [*command, "--device", "cpu", *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    line: dict[str, Any] = json.loads(process.stdout.readline())
    return line if line["type"] != "folders" else told(process)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals.")
def test_an_interrupt_ends_it_with_the_scores_kept(
    trained_run: Run, mvtec_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    process = started(trained_run, folder, "--threshold", "-1")
    assert told(process)["type"] == "watching"
    shutil.copy(min(mvtec_folder.glob("test/*/*.png")), folder / "a.png")
    line = told(process)
    (folder / "b.png").write_bytes(b"no image at all")
    broken = told(process)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert (line["type"], line["path"], line["flagged"]) == ("image", "a.png", True)
    assert abs(line["time"] - time.time()) < 60
    assert (broken["type"], broken["path"]) == ("problem", "b.png")
    assert json.loads(out.splitlines()[-1])["images"] == 1
    images = ImageFolder(folder)
    kept = score_column(trained_run.result(images.key), images.list_files())
    assert kept is not None
    assert kept[0] == pytest.approx(line["score"])


def test_it_ends_with_whoever_started_it(
    loupe: Loupe, trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "incoming").mkdir()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))

    outcome = loupe("watch", trained_run.path, tmp_path / "incoming", "--attended", *THREADS)

    assert outcome.code == 0, outcome.err
    assert "0 images scored" in outcome.err


def test_a_wish_to_look_ends_the_pause_and_a_half_written_file_is_waited_for(
    trained_run: Run, mvtec_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "incoming"
    (folder / "inner").mkdir(parents=True)
    process = started(trained_run, folder, "--every", "600", "--attended")
    assert process.stdin is not None
    assert process.stdout is not None
    told(process)
    folders = json.loads(process.stdout.readline())
    assert (folders["type"], folders["folders"]) == ("folders", ["", "inner"])

    whole = min(mvtec_folder.glob("test/*/*.png")).read_bytes()
    with (folder / "inner" / "a.png").open("wb") as file:
        for part in range(8):  # longer than files must settle
            file.write(whole[part * len(whole) // 8 : (part + 1) * len(whole) // 8])
            file.flush()
            if not part:
                process.stdin.write("look\n")
                process.stdin.flush()
            time.sleep(0.04)
    line = told(process)
    process.stdin.close()
    assert (line["type"], line["path"], line["is_replaced"]) == ("image", "inner/a.png", False)
    assert process.wait(timeout=60) == 0
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()
