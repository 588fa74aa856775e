import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork to try many moments quickly")
def test_a_training_killed_at_any_file_operation_resumes_with_the_same_losses(
    image_folder: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.worker.killed_anywhere"]
    wishes = ["autoencoder=5", "vae=2", "pca=2", "patch_memory=3"]

    done = subprocess.run(
        [*command, str(image_folder), str(tmp_path / "runs"), *wishes],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 12, done.stderr
    expected = {
        "killed": True,
        "readable": "",
        "state": "finished",
        "same": True,
        "trained": True,
    }
    assert [one for one in told if one | expected != one] == []
