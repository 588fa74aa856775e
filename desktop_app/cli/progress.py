"""Events of a job as a progress bar on stderr, or as lines of JSON on stdout."""

import json
import sys
from types import TracebackType
from typing import Any

from tqdm import tqdm

from desktop_app.core.eventlog import Line

_BAR = "{desc}: {percentage:3.0f}%|{bar:24}| {elapsed}<{remaining}{postfix}"
_COUNT = "{desc}: {n_fmt}/{total_fmt}|{bar:24}| {rate_fmt} {elapsed}<{remaining}"
_SHOWN_METRICS = 4


class Progress:
    """Shows what a job tells."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._bar: Any = None
        self._what = ""
        self._images = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def __call__(self, line: Line) -> None:
        """Show one event."""
        if self._as_json:
            print(json.dumps(line), flush=True)
        elif line["type"] == "progress" and line["total"] > 0:
            self._open(line["what"], line["total"], _COUNT, " images")
            self._bar.update(line["done"] - self._bar.n)
        elif line["type"] == "metrics":
            self._show_metrics(line)
        elif line["type"] == "note":
            tqdm.write(f"{line['level']}: {line['text']}", file=sys.stderr)

    def _show_metrics(self, line: Line) -> None:
        self._open("Training", 1.0, _BAR, "")
        self._images += line["images"]
        self._bar.update(line["progress"] - self._bar.n)
        seconds = self._bar.format_dict["elapsed"]
        rate = f"{self._images / seconds:,.0f} images/s" if seconds else ""
        values = [(name, column[-1]) for name, column in line["values"].items()]
        shown = [
            f"{name} {value:.4g}" for name, value in values[:_SHOWN_METRICS] if value is not None
        ]
        parts = [f"epoch {line['epoch'][-1]:.1f}", f"step {line['step'][-1]}", rate, *shown]
        self._bar.set_postfix_str(", ".join(part for part in parts if part), refresh=False)

    def _open(self, what: str, total: float, layout: str, unit: str) -> None:
        if self._bar is not None and self._what == what:
            return
        self._close()
        self._what = what
        self._bar = tqdm(
            total=total,
            desc=what,
            unit=unit,
            bar_format=layout,
            file=sys.stderr,
            dynamic_ncols=True,
            mininterval=0.1,
        )

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()
            self._bar = None
