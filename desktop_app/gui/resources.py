"""Where the files beside the code lie: icons, themes, translations."""

from pathlib import Path

RESOURCES = Path(__file__).resolve().parents[2] / "resources"


def resource(*parts: str) -> Path:
    """Return the path of a file in `resources/`, such as `resource("icons", "play.svg")`."""
    return RESOURCES.joinpath(*parts)
