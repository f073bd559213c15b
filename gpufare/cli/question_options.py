"""The options of a question (workload and limits), made from the table of fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import typer

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
from warehouse.errors import UsageError

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    from recommender.workload_file import Job

TASK = typer.Argument(None, help=f"{', '.join(TASKS[:-1])} or {TASKS[-1]}; a file names its own.")
FILE = typer.Option(None, "-f", "--file", help="Workload file (YAML); flags beside it win.")
_TYPES: dict[str, Any] = {
    TEXT: str | None,
    NUMBER: float | None,
    WHOLE: int | None,
    SWITCH: bool | None,
    NAMES: str | None,
    DURATION: str | None,
    PLACES: list[str] | None,
}


def question_options(*, limits: bool) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Gives a command every option of a workload, and of its limits where asked for.

    The command's parameters `workload` and `limits` (dictionaries by Python name, None where a flag was not
    given) are filled from them; its other parameters stay as they are. typer reads the signature made here.
    """

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        fields = (*WORKLOAD_FIELDS, *(LIMIT_FIELDS if limits else ()))
        own = inspect.signature(command, eval_str=True).parameters.values()
        kept = [item for item in own if item.name not in ("workload", "limits")]
        extra = [_parameter(item) for item in fields]
        names = {item.name for item in WORKLOAD_FIELDS}

        @wraps(command)
        def called(**given: Any) -> int:
            values = {item.name: _read(item, given.pop(item.name)) for item in fields}
            workload = {name: value for name, value in values.items() if name in names}
            if limits:
                given["limits"] = {name: value for name, value in values.items() if name not in names}
            return command(**given, workload=workload)

        called.__signature__ = inspect.Signature([*kept, *extra])  # type: ignore[attr-defined]
        called.__annotations__ = {item.name: item.annotation for item in (*kept, *extra)}
        return called

    return decorate


def _parameter(item: Field) -> inspect.Parameter:
    tasks = f" [{', '.join(item.tasks)}]" if item.tasks else ""
    option = typer.Option(None, item.option, help=item.help + tasks)
    return inspect.Parameter(
        item.name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=_TYPES[item.kind]
    )


def _read(item: Field, value: Any) -> Any:
    """The value of one flag as its field wants it, None where it was not given. Raises UsageError."""
    if value is None:
        return None
    if item.kind == NAMES:
        return names(value)
    if item.kind == DURATION:
        return parse_duration_hours(value, item.option)
    if item.kind == PLACES:
        from recommender.constraints import parse_data_place

        return tuple(parse_data_place(text) for text in value) or None
    return value


def names(text: str | None) -> tuple[str, ...]:
    """The names of a list separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def read_question(
    task: str | None, file: str | None, workload: dict[str, Any], limits: dict[str, Any]
) -> Job:
    """The job that the command line asks for, from a file, from flags or from both. Raises UsageError."""
    from recommender.workload_file import Job as Question
    from recommender.workload_file import read_text, with_flags

    if file is not None:
        return with_flags(read_text(file), file, {**workload, "task": task}, limits)
    if task is None:
        raise UsageError(f"name a task ({', '.join(TASKS)}) or give -f workload.yaml")
    from recommender import Constraints, Workload

    given = {key: value for key, value in workload.items() if value is not None}
    bounds = {key: value for key, value in limits.items() if value is not None}
    return Question(Workload(task=task, **given), Constraints(**bounds))
