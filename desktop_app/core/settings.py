"""What the analyst prefers, and where the application keeps its own files."""

import json
import os
import time
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from desktop_app.core.files import replaced
from desktop_app.core.refusals import made_folder, refusal, shown

HOME_VARIABLE = "LOUPE_HOME"
"""Environment variable: one folder for cache, data and configuration together."""

MOST_RECENT = 12
"""Recent workspaces that are remembered."""


def cache_dir() -> Path:
    """Return the folder of what can be made again: indexes, thumbnails, pixels."""
    return _place("cache", platformdirs.user_cache_path("loupe", appauthor=False))


def data_dir() -> Path:
    """Return the folder of what the analyst made: the default workspace, plugins, reports."""
    return _place("data", platformdirs.user_data_path("loupe", appauthor=False))


def config_dir() -> Path:
    """Return the folder of the settings."""
    return _place("config", platformdirs.user_config_path("loupe", appauthor=False))


def _place(name: str, usual: Path) -> Path:
    home = os.environ.get(HOME_VARIABLE)
    return made_folder(Path(home).expanduser().absolute() / name if home else usual)


class Settings(BaseModel):
    """Preferences as a frozen record; names that this version does not know are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    theme: Literal["system", "dark", "light"] = "system"
    language: Literal["system", "en", "zh_CN"] = "system"
    last_workspace: str = ""
    recent_workspaces: tuple[str, ...] = ()
    """Newest first."""
    torch_threads: int = Field(default=0, ge=0, le=1024)
    """Threads of a worker; 0 leaves one core to the window."""
    decoding_threads: int = Field(default=2, ge=1, le=64)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    runner: Literal["process", "thread"] = "process"
    """Where jobs run: a worker process each, or a background thread of the window."""
    window: dict[str, str] = Field(default_factory=dict)
    """Sizes and places of the window's parts, as the window writes them."""

    _problems: tuple[str, ...] = PrivateAttr(default=())

    @property
    def problems(self) -> tuple[str, ...]:
        """Return sentences about what could not be read and was replaced by its default."""
        return self._problems

    @classmethod
    def read(cls, path: Path | None = None) -> Self:
        """Return the settings of a file; a broken file is kept aside and named in `problems`."""
        path = path or settings_file()
        try:
            values = json.loads(path.read_text("utf-8"))
            if not isinstance(values, dict):
                raise ValueError(f"expected an object, got {type(values).__name__}")
        except FileNotFoundError:
            return cls()
        except OSError as error:
            sentence = f"The settings '{shown(path)}' cannot be read: {error.strerror or error}."
            return cls._with_problems({}, (sentence,))
        except ValueError as error:  # JSON or UTF-8
            return cls._with_problems({}, (_set_aside(path, error),))
        return cls._of_values(values)

    def write(self, path: Path | None = None) -> None:
        """Write the settings whole; raises InvalidInput when the disk refuses."""
        path = path or settings_file()
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True)
        try:
            with replaced(path) as beside:
                beside.write_text(text, "utf-8")
        except OSError as error:
            raise refusal(path, error) from error

    def changed(self, **values: object) -> Self:
        """Return these settings with other values; raises ValidationError for a bad value."""
        return type(self).model_validate({**self.model_dump(), **values})

    def with_workspace(self, workspace: Path) -> Self:
        """Return these settings with this workspace as the last and most recent one."""
        name = str(workspace)
        others = [other for other in self.recent_workspaces if other != name]
        return self.changed(last_workspace=name, recent_workspaces=[name, *others][:MOST_RECENT])

    @classmethod
    def _of_values(cls, values: dict[str, Any]) -> Self:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            bad = {str(part["loc"][0]): part["msg"] for part in error.errors() if part["loc"]}
        kept = {name: value for name, value in values.items() if name not in bad}
        return cls._with_problems(
            kept,
            tuple(
                f"The setting '{name}' has no valid value ({reason}); its default is used."
                for name, reason in bad.items()
            ),
        )

    @classmethod
    def _with_problems(cls, values: dict[str, Any], problems: tuple[str, ...]) -> Self:
        settings = cls.model_validate(values)
        settings._problems = problems
        return settings


def settings_file() -> Path:
    """Return the path of the settings."""
    return config_dir() / "settings.json"


def _set_aside(path: Path, error: ValueError) -> str:
    aside = path.with_name(f"{path.stem}.broken-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
    try:
        path.replace(aside)
    except OSError:
        return f"The settings '{shown(path)}' are damaged ({error}); the defaults are used."
    return (
        f"The settings were damaged ({error}) and are kept as '{shown(aside)}'; "
        "the defaults are used."
    )
