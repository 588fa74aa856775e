"""Runs a script in a process in which some packages cannot be imported."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is blocked in this test")
        return None

sys.meta_path.insert(0, Block())
"""

QT = ("PySide6", "shiboken6", "pyqtgraph")
TORCH = ("torch", "torchvision", "open_clip", "timm")


def output_without(blocked: tuple[str, ...], script: str) -> str:
    """Return what a script prints where these packages are blocked; fail when it fails."""
    done = subprocess.run(
        [sys.executable, "-c", _BLOCK.format(blocked=set(blocked)) + script],
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
