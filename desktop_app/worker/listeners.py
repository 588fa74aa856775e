"""Hands the events of a job to the plugins that take notice of them."""

import sys
import traceback
from pathlib import Path

from desktop_app.core.eventlog import Line
from desktop_app.core.listeners import listening_plugins
from desktop_app.core.plugins import Plugin
from desktop_app.worker.narrator import Observer


def with_listeners(path: Path, observe: Observer) -> Observer:
    """Return an observer that tells `observe` first and then every plugin with `job_event`.

    A plugin that fails is told no more; its traceback goes to the worker's log.
    """
    plugins = listening_plugins()
    if not plugins:
        return observe

    def observe_and_tell(line: Line) -> None:
        observe(line)
        for plugin in list(plugins):
            if not _took_notice(plugin, path, line):
                plugins.remove(plugin)

    return observe_and_tell


def _took_notice(plugin: Plugin, path: Path, line: Line) -> bool:
    try:
        plugin.manager.hook.job_event(run_dir=path, event=dict(line))
    except Exception:  # whatever a hook of a plugin raises belongs to that plugin
        print(f"Plugin '{plugin.source.id}' fails at an event:", file=sys.stderr)
        traceback.print_exc()
        return False
    return True
