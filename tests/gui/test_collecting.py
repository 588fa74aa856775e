"""Which thread frees what is held in cycles."""

import json
import subprocess
import sys

BUSY = """
import gc, json, threading
from PySide6.QtCore import QTimer
from desktop_app.core.settings import Settings
from desktop_app.gui.application import application

app = application(Settings())
threads = []

class Cycle:
    def __init__(self):
        self.itself = self

    def __del__(self):
        threads.append(threading.current_thread() is threading.main_thread())

busy = threading.Thread(target=lambda: [Cycle() for _ in range(20_000)] and None)
QTimer.singleShot(0, busy.start)
waiting = QTimer(interval=50)
waiting.timeout.connect(lambda: app.quit() if len(threads) == 20_000 else None)
waiting.start()
QTimer.singleShot(15_000, app.quit)
app.exec()
print(json.dumps([len(threads), all(threads)]))
"""


def test_only_the_thread_of_the_window_frees_what_another_thread_left_in_cycles() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUSY], capture_output=True, text=True, check=True, timeout=100
    )

    assert json.loads(done.stdout) == [20_000, True]
