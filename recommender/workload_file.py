"""Workloads as YAML files: the fields of a question and, under `limits`, what an answer may use.

    task: serve
    model: llama-3.1-8b
    requests_per_second: 10
    limits:
      deadline: 36h
      continent: [europe]

The keys are the flags of the command line without dashes. Every mistake is one line that names the key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.constraints import Constraints, parse_data_place
from recommender.fields import (
    DURATION,
    LIMIT_FIELDS,
    NAMES,
    NUMBER,
    PLACES,
    SWITCH,
    TASKS,
    TEXT,
    WHOLE,
    WORKLOAD_FIELDS,
    Field,
    parse_duration_hours,
)
from recommender.workload import Workload
from warehouse.errors import UsageError

LABELS = ("id", "title", "note")
MOST_BYTES = 100_000  # a question is a page of text


@dataclass(frozen=True, slots=True)
class Job:
    """A question from a file: `id`, `title` and `note` are None where it does not name itself."""

    workload: Workload
    constraints: Constraints
    id: str | None = None
    title: str | None = None
    note: str | None = None


def read_job(path: str | Path) -> Job:
    """The question of a YAML file. Raises UsageError."""
    return parse_job(read_text(path), str(path))


def read_text(path: str | Path) -> str:
    """The text of a workload file. Raises UsageError where there is none."""
    path = Path(path)
    try:
        text = path.read_bytes()[: MOST_BYTES + 1].decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; give a workload file (YAML)") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text; give a workload file (YAML)") from None
    if len(text) > MOST_BYTES:
        raise UsageError(f"{path} is longer than {MOST_BYTES:,} bytes; give a workload file (YAML)")
    return text


def parse_job(text: str, name: str) -> Job:
    """The question of a YAML text; `name` is what errors call it. Raises UsageError."""
    return with_flags(text, name, {}, {})


def with_flags(text: str, name: str, workload: dict[str, Any], limits: dict[str, Any]) -> Job:
    """The question of a YAML text with what the command line adds or overrides.

    Args:
        name: what errors call the text.
        workload, limits: fields given as flags, by Python name; those that are None were not given.

    Raises:
        UsageError: the text, or what comes of both, is not a question.
    """
    given, found = fields_of(text, name)
    labels = {key: given.pop(key, None) for key in LABELS}
    given |= {key: value for key, value in workload.items() if value is not None}
    found |= {key: value for key, value in limits.items() if value is not None}
    try:
        return Job(Workload(**given), Constraints(**found), **labels)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def fields_of(text: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(workload with labels, limits): their fields by Python name. Raises UsageError."""
    body = _mapping(_parse(text, name), name)
    limits = _mapping(body.pop("limits", None) or {}, f"{name}: limits")
    workload_keys = {item.file_key: item for item in WORKLOAD_FIELDS}
    limit_keys = {item.file_key: item for item in LIMIT_FIELDS}
    given: dict[str, Any] = {}
    for key, value in body.items():
        if key == "task" or key in LABELS:
            if not isinstance(value, str):
                raise UsageError(f"{name}: {key} {value!r} is not text")
            given[key] = value
            continue
        if key in limit_keys and key not in workload_keys:
            raise UsageError(f"{name}: {key} belongs under limits:")
        item = _known(key, workload_keys, ("task", "limits", *LABELS, *workload_keys), name)
        given[item.name] = _value(item, value, name)
    if "task" not in given:
        raise UsageError(f"{name}: no task; add one of task: {', '.join(TASKS)}")
    found = {}
    for key, value in limits.items():
        item = _known(key, limit_keys, limit_keys, f"{name}: limits")
        found[item.name] = _value(item, value, name)
    return given, found


def _parse(text: str, name: str) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise UsageError(f"{name}{line}: {problem}; see gpufare recommend --help for an example") from None


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"{name} is not a list of key: value lines; example: task: serve")
    return dict(value)


def _known(key: str, fields: dict[str, Field], names: Iterable[str], where: str) -> Field:
    if key in fields:
        return fields[key]
    near = difflib.get_close_matches(key.replace("-", "_"), list(names), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(names)}"
    raise UsageError(f"{where}: unknown key {key[:60]!r}{hint}")


def _value(item: Field, value: Any, name: str) -> Any:
    """One value as its field wants it. Raises UsageError."""
    shown = f"{name}: {item.file_key} {value!r}"
    if value is None:
        raise UsageError(f"{name}: {item.file_key} is empty; give it a value or leave it out")
    if item.kind in (NUMBER, WHOLE):
        return _number(item, value, shown)
    if item.kind == SWITCH:
        if not isinstance(value, bool):
            raise UsageError(f"{shown} is not true or false")
        return value
    if item.kind in (NAMES, PLACES):
        values = value if isinstance(value, list) else str(value).split(",")
        # Norway: YAML reads a bare NO as false, so a country would be lost without this.
        if isinstance(value, bool | dict) or any(isinstance(part, bool | dict | list) for part in values):
            raise UsageError(f'{shown} is not a list of names; write names in quotes, "NO"')
        names = tuple(str(part).strip() for part in values if str(part).strip())
        return names if item.kind == NAMES else tuple(parse_data_place(part) for part in names)
    if item.kind == DURATION:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise UsageError(f"{shown} is not a length of time; examples: 36h, 10d")
        return parse_duration_hours(str(value), f"{name}: {item.file_key}")
    assert item.kind == TEXT
    if not isinstance(value, str):
        raise UsageError(f"{shown} is not text")
    return value


def _number(item: Field, value: Any, shown: str) -> float:
    if isinstance(value, str):  # YAML 1.1 reads 1e6 as text
        try:
            value = float(value)
        except ValueError:
            raise UsageError(f"{shown} is not a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{shown} is not a number")
    if item.kind == WHOLE:
        if value != int(value):
            raise UsageError(f"{shown} is not a whole number")
        return int(value)
    return float(value)


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a workload file, for editors and other programs."""
    properties: dict[str, Any] = {
        "id": {"type": "string", "description": "Name of the job, for pages and files."},
        "title": {"type": "string", "description": "Heading."},
        "note": {"type": "string", "description": "Who would run it, and how."},
        "task": {"enum": list(TASKS), "description": "What is to run."},
    }
    properties |= {item.file_key: _schema_of(item) for item in WORKLOAD_FIELDS}
    limits = {item.file_key: _schema_of(item) for item in LIMIT_FIELDS}
    properties["limits"] = {"type": "object", "properties": limits, "additionalProperties": False}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gpufare workload",
        "type": "object",
        "properties": properties,
        "required": ["task"],
        "additionalProperties": False,
    }


def _schema_of(item: Field) -> dict[str, Any]:
    tasks = f" Goes with {', '.join(item.tasks)}." if item.tasks else ""
    found: dict[str, Any] = {"description": item.help + tasks}
    if item.kind in (NUMBER, WHOLE):
        found["type"] = "number" if item.kind == NUMBER else "integer"
        if item.low is not None:
            found |= {"minimum": item.low, "maximum": item.high}
    elif item.kind == SWITCH:
        found["type"] = "boolean"
    elif item.kind in (NAMES, PLACES):
        text = {"type": "string"}
        found["anyOf"] = [text, {"type": "array", "items": text}]
    elif item.kind == DURATION:
        found["type"] = ["string", "number"]
    else:
        found["type"] = "string"
    return found
