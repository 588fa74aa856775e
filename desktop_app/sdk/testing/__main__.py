"""`python -m desktop_app.sdk.testing MODULE_OR_FILE` holds a plugin to its promises."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from desktop_app.sdk.testing import CHECKS, BrokenPromise
from desktop_app.sdk.testing.trial import Check, MethodType

_USAGE = "Usage: python -m desktop_app.sdk.testing MODULE_OR_FILE"


def main(arguments: list[str]) -> int:
    """Print a line per check and return 0 when every promise is kept."""
    if len(arguments) != 1:
        print(_USAGE, file=sys.stderr)
        return 2
    module = _loaded(arguments[0])
    broken = [_report(method) for method in module.register_methods()]
    return 1 if any(broken) else 0


def _report(method: MethodType) -> int:
    """Print what one method keeps and breaks, and return how many promises are broken."""
    print(f"{method.card.id}: {method.card.title}")
    broken = 0
    for check in CHECKS:
        sentence = _broken_sentence(check, method)
        broken += sentence is not None
        name = getattr(check, "__name__", str(check)).replace("_", " ")
        print(f"  {'kept  ' if sentence is None else 'BROKEN'} {name}")
        if sentence is not None:
            print(f"         {sentence}")
    print(f"  {len(CHECKS) - broken} of {len(CHECKS)} promises kept")
    return broken


def _broken_sentence(check: Check, method: MethodType) -> str | None:
    try:
        check(method)
    except BrokenPromise as promise:
        return str(promise)
    except Exception as problem:  # a method may fail in any way: the next check is still worth it
        return f"{type(problem).__name__}: {problem}"
    return None


def _loaded(name: str) -> ModuleType:
    path = Path(name)
    if path.suffix != ".py":
        return importlib.import_module(name)
    found = importlib.util.spec_from_file_location(path.stem, path)
    if found is None or found.loader is None:
        raise SystemExit(f"'{name}' is not a Python file: {_USAGE}")
    module = importlib.util.module_from_spec(found)
    sys.modules[path.stem] = module
    found.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
