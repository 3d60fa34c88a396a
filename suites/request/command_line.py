"""Gives a command of the command line the options that are declared in `options`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Annotated, Any, Final

import typer

from suites.records.option import Option
from suites.request import completion

Command = Callable[..., None]
FLAG_TEXT: Final = "on"
"""The text of an option that is typed without a value."""


def with_options(options: Iterable[Option]) -> Callable[[Command], Command]:
    """A decorator of a command with a parameter `given`: the options that were typed, by name.

    The command takes `context: typer.Context` first, and `given: dict[str, str | list[str]]`, in
    whose place the options stand in the help.
    """
    declared = {_parameter(option): option for option in options}

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)

        @wraps(command)
        def call(context: typer.Context, **arguments: Any) -> None:
            values = {parameter: arguments.pop(parameter) for parameter in declared}
            given = {
                option.name: FLAG_TEXT if option.flag else values[parameter]
                for parameter, option in declared.items()
                if is_given(context, parameter)
            }
            command(context=context, given=given, **arguments)

        parameters = list(_expanded(signature.parameters.values(), declared))
        call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # read by inspect
        call.__annotations__ = {each.name: each.annotation for each in parameters}
        return call

    return decorate


def is_given(context: typer.Context, parameter: str) -> bool:
    """Whether a parameter was typed, and does not have its default."""
    return getattr(context.get_parameter_source(parameter), "name", "") == "COMMANDLINE"


def _expanded(
    parameters: Iterable[inspect.Parameter], declared: dict[str, Option]
) -> Iterator[inspect.Parameter]:
    for each in parameters:
        if each.name != "given":
            yield each
            continue
        for name, option in declared.items():
            kind: Any = bool if option.flag else list[str] if option.repeat else str
            info = typer.Option(
                option.name,
                metavar=option.metavar or None,
                help=option.help,
                autocompletion=completion.OPTIONS.get(option.name),
            )
            yield inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if option.flag else option.default or None,
                annotation=Annotated[kind | None, info],
            )


def _parameter(option: Option) -> str:
    return "given_" + option.name.removeprefix("--").replace("-", "_")
