"""`allsight doctor`"""

from __future__ import annotations

import typer

from allsight.cli.console import AsJson, show


def doctor(json: AsJson = False) -> None:
    """What is installed here, and whether it works."""
    from allsight.verbs.doctor import doctor as examine

    found = examine()
    lines = [found.machine, ", ".join(f"{k} {v}" for k, v in found.versions.items())]
    for f in found.findings:
        mark = "ok  " if f.ok else ("FAIL" if f.needed else "-   ")
        lines.append(f"{mark} {f.name}: {f.detail}")
    lines.append("Everything needed works." if found.healthy else "Something needed does not work.")
    show(found.to_json(), "\n".join(lines), as_json=json)
    if not found.healthy:
        raise typer.Exit(1)
