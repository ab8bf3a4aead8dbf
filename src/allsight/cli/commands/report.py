"""`allsight report RUN`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from allsight.cli.console import AsJson, show


def report(
    run: Annotated[Path, typer.Argument(help="Folder that `allsight evaluate` wrote.")],
    bundle: Annotated[str | None, typer.Option(help="Bundle, for its training curves and card.")] = None,
    out: Annotated[Path | None, typer.Option(help="The page to write. [RUN/report.html]")] = None,
    json: AsJson = False,
) -> None:
    """One self-contained HTML page, readable on a phone and on paper, no network needed."""
    from allsight.verbs.report import report as make

    page = make(run, bundle=bundle, out=out)
    show({"report": str(page)}, str(page), as_json=json)
