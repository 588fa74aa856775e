import os
import signal
import subprocess
import sys
from pathlib import Path

from desktop_app.core.runs import JobState, Run
from tests.cli.test_train import SMALL
from tests.runs import losses, until


def test_an_interrupt_saves_and_tells_how_to_go_on(image_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "运行 🍪"
    words = ["train", image_folder, *SMALL, "--set", "epochs=100000", "--out", out]
    process = subprocess.Popen(
        [sys.executable, "-m", "desktop_app", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    until(lambda: (out / "events.jsonl").exists() and losses(Run(out)), seconds=120)

    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)

    run = Run.open(out)
    assert process.returncode == 130
    assert f"loupe: stopped; `--resume` continues '{out}'." in err.decode()
    assert "Traceback" not in err.decode()
    assert run.state() is JobState.STOPPED
    assert int(run.checkpoints()[-1].name) == losses(run)[-1][0]
