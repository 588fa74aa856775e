"""`loupe methods` and `loupe describe`."""

import argparse
import json
import sys
from dataclasses import asdict

from desktop_app.core.catalog import MethodInfo, current_catalog, describe_plugins, refresh_catalog
from desktop_app.core.files import write_json
from desktop_app.core.plugins import user_plugin_dir


def methods(options: argparse.Namespace) -> int:
    """List the methods that can be used with their presets, then problems on stderr."""
    catalog = current_catalog()
    if options.json:
        print(json.dumps([_plain(info) for info in catalog.usable()], indent=1))
    else:
        width = max((len(info.id) for info in catalog.usable()), default=0)
        for info in catalog.usable():
            print(f"{info.id:{width}}  {info.title} - {info.summary}")
            for what, found in (("presets", info.presets), ("experiments", info.experiments)):
                if found:
                    names = ", ".join(str(item["name"]) for item in found)
                    print(f"{'':{width}}  {what}: {names}")
        print(f"Single-file plugins go into {user_plugin_dir()}", file=sys.stderr)
    for info in catalog.methods:
        if info.problem:
            print(f"problem: {info.problem}", file=sys.stderr)
    return 0


def describe(options: argparse.Namespace) -> int:
    """Describe all plugins; for the window, into a file, in this very process."""
    if options.journal is None:
        plain = [asdict(info) for info in refresh_catalog().methods]
    else:
        plain = [asdict(info) for info in describe_plugins(options.skip, options.journal)]
    if options.out:
        write_json(options.out, plain)
    else:
        print(json.dumps(plain, indent=1))
    return 0


def _plain(info: MethodInfo) -> dict[str, object]:
    return {
        "id": info.id,
        "title": info.title,
        "family": info.family,
        "capabilities": list(info.capabilities),
        "parameters": info.parameters,
        "presets": info.presets,
        "experiments": info.experiments,
    }
