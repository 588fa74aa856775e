"""Parameters of a method: one frozen model that is form, validation, JSON and command line."""

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from desktop_app.sdk.errors import InvalidParameter

Scale = Literal["linear", "log"]
Kind = Literal["int", "float", "bool", "choice", "text", "file", "run"]


class Params(BaseModel):
    """Base of all parameter classes; frozen, and strict about unknown names."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Params":
        """Return parameters from plain values or their text.

        Raises InvalidParameter with one sentence per wrong value.
        """
        known = list(cls.model_fields)
        for name in values:
            if name not in known:
                raise InvalidParameter(
                    f"No parameter '{name}'. Known: {', '.join(known) or 'none'}."
                )
        try:
            return cls.model_validate(dict(values))
        except ValidationError as problem:
            raise InvalidParameter(
                " ".join(_sentence(error) for error in problem.errors())
            ) from None


class TrainingParams(Params):
    """What every method trained by gradient steps has."""

    epochs: int = Field(
        20,
        ge=1,
        le=100_000,
        description="Passes over the images.",
        json_schema_extra={"scale": "log"},
    )
    least_steps: int = Field(
        600,
        ge=0,
        le=1_000_000,
        description="Small folders are passed over more often, until this many optimiser steps.",
        json_schema_extra={"scale": "log", "unit": "steps", "advanced": True},
    )
    batch_size: int = Field(
        128,
        ge=1,
        le=65_536,
        description="Images per optimiser step.",
        json_schema_extra={"scale": "log", "unit": "images"},
    )
    learning_rate: float = Field(
        1e-3,
        ge=1e-8,
        le=10.0,
        description="Step size of the optimiser.",
        json_schema_extra={"scale": "log"},
    )


def param(
    default: Any,
    *,
    help: str,  # noqa: A002 - the word of the command line
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    scale: Scale = "linear",
    kind: Kind | None = None,
    advanced: bool = False,
) -> Any:
    """Describe one field: its default, inclusive range, unit, scale of its slider and help.

    `kind` is only needed for a text that names a "file" or a "run" folder.
    """
    extra: dict[str, Any] = {"unit": unit, "scale": scale, "advanced": advanced}
    if kind is not None:
        extra["kind"] = kind
    return Field(default, ge=low, le=high, description=help, json_schema_extra=extra)


def parameter_schema(params_type: type[Params]) -> list[dict[str, Any]]:
    """Return the parameters as plain data: name, kind, default, low, high, unit, scale, help ..."""
    return [_described(name, info) for name, info in params_type.model_fields.items()]


def _described(name: str, info: FieldInfo) -> dict[str, Any]:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    choices = list(get_args(info.annotation)) if get_origin(info.annotation) is Literal else []
    bounds = {
        key: getattr(rule, key)
        for rule in info.metadata
        for key in ("ge", "le")
        if hasattr(rule, key)
    }
    return {
        "name": name,
        "kind": extra.get("kind") or _kind(info.annotation, choices),
        "default": None if info.default is PydanticUndefined else info.default,
        "low": bounds.get("ge"),
        "high": bounds.get("le"),
        "unit": extra.get("unit", ""),
        "scale": extra.get("scale", "linear"),
        "choices": choices,
        "help": info.description or "",
        "advanced": bool(extra.get("advanced", False)),
    }


def _kind(annotation: Any, choices: list[Any]) -> Kind:
    if choices:
        return "choice"
    kinds: dict[Any, Kind] = {bool: "bool", int: "int", float: "float"}
    return kinds.get(annotation, "text")


def _sentence(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"]) or "parameters"
    got = error.get("input")
    context = error.get("ctx", {})
    rules = {
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "less_than_equal": f"must be at most {context.get('le')}",
        "int_parsing": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "bool_parsing": "must be true or false",
        "literal_error": f"must be {context.get('expected')}",
    }
    rule = rules.get(error["type"])
    if rule is None:
        return f"{name}: {error['msg']}."
    return f"{name} {rule}, got {got!r}."
