"""`loupe index`: look into every image of a folder, as the window does in the background."""

import argparse
import json
from collections import Counter

from desktop_app.cli.progress import Progress
from desktop_app.core.images import ImageFolder


def index(options: argparse.Namespace) -> int:
    """List a folder, look into its images, and print counts, labels and problems."""
    folder = ImageFolder(options.folder)
    folder.list_files()
    with Progress(as_json=False) as show:
        for done, total in folder.probe(options.workers):
            show({"type": "progress", "what": "Looking into images", "done": done, "total": total})
    table, problems = folder.table(), folder.problems()
    facts = {
        "folder": str(folder.root),
        "layout": folder.layout,
        "n_images": len(table.usable()),
        "labels": dict(Counter(table.labels)),
        "splits": dict(Counter(table.splits)),
        "problems": dict(problems),
        "remarks": {p: r for p, r in zip(table.paths, table.remarks, strict=True) if r},
    }
    if options.json:
        print(json.dumps(facts))
        return 0
    print(f"{facts['n_images']} images in {folder.root} ({folder.layout} layout)")
    for name, count in sorted(Counter(zip(table.splits, table.labels, strict=True)).items()):
        print(f"  {count:7}  {' / '.join(part for part in name if part) or 'no label'}")
    for path, reason in problems:
        print(f"  left out: {path}: {reason}")
    return 0
