"""Puts the verbs together and turns every ending into an exit code.

0 done, 1 failed, 2 wrong usage, 3 some inputs failed, 4 refused for safety, 130 interrupted after saving.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allsight.cli import commands
from allsight.cli.console import say
from allsight.core.allocator import keep_freed_memory
from allsight.core.errors import AllsightError

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
_RIGHTS = "Check that the path is there, its rights and the space left on the disk, or choose another --out."


def build() -> typer.Typer:
    """The application: one command a file in `commands/`, or a group of commands where the file has an `app`."""
    app = typer.Typer(
        name="allsight",
        help="Blood smears and acute lymphoblastic leukemia: train, evaluate, explain, report. Research use only.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some inputs failed, 4 refused for safety, "
        "130 interrupted.",
    )

    @app.callback(invoke_without_command=True)
    def root(
        context: typer.Context,
        version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    ) -> None:
        if version:
            from importlib.metadata import version as installed

            print(installed("allsight"))
            raise typer.Exit
        if context.invoked_subcommand is None:
            print(context.get_help())
            raise typer.Exit(WRONG_USAGE)

    for module in pkgutil.iter_modules(commands.__path__):
        verb = importlib.import_module(f"{commands.__name__}.{module.name}")
        if hasattr(verb, "app"):
            app.add_typer(verb.app, name=module.name)
        else:
            app.command(name=module.name)(getattr(verb, module.name))
    return app


def main(arguments: Sequence[str]) -> int:
    """Run one command; gives its exit code."""
    as_json = "--json" in arguments
    try:
        code = typer.main.get_command(build()).main(
            list(arguments), prog_name="allsight", standalone_mode=False
        )
        if code == INTERRUPTED:  # what the framework makes of a KeyboardInterrupt within a command
            raise KeyboardInterrupt
    except typer.TyperException as error:
        context: typer.Context | None = getattr(error, "ctx", None)
        usage = context.get_usage() if context else ""
        return _fail(WRONG_USAGE, "UsageError", error.format_message(), usage, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        hint = "A training goes on with --resume, a study with the same command."
        return _fail(INTERRUPTED, "Interrupted", "Interrupted.", hint, as_json=as_json)
    except AllsightError as error:
        return _fail(error.exit_code, type(error).__name__, error.message, error.hint, as_json=as_json)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        if os.environ.get("ALLSIGHT_DEBUG"):
            raise
        place = f"{error.filename}: " if error.filename else ""
        return _fail(FAILED, "OSError", f"{place}{error.strerror or error}.", _RIGHTS, as_json=as_json)
    except Exception as error:
        if os.environ.get("ALLSIGHT_DEBUG"):
            raise
        return _fail(
            FAILED,
            type(error).__name__,
            f"An error nobody foresaw: {error}",
            "Set ALLSIGHT_DEBUG=1 to see where, and report it.",
            as_json=as_json,
        )
    return code if isinstance(code, int) else 0


def _fail(code: int, kind: str, message: str, hint: str, *, as_json: bool) -> int:
    if as_json:
        document: dict[str, Any] = {"error": {"type": kind, "message": message, "hint": hint}}
        print(json.dumps(document, ensure_ascii=False))
    else:
        say(f"error: {message}")
        if hint:
            say(hint)
    return code


def run() -> None:
    """The console script."""
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):  # a terminal or pipe may know less than a file's name holds
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
