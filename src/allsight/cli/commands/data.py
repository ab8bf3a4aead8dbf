"""`allsight data prepare | audit | synthesize`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allsight.cli.console import SOME_FAILED, AsJson, progress_bar, say, show

if TYPE_CHECKING:
    from allsight.evaluate.audit import Audit

app = typer.Typer(help="Manifests; repeats, leaks and shortcuts; generated smears.", no_args_is_help=True)

Data = Annotated[str, typer.Argument(help="DATA, such as taleqani:PATH or c_nmc:PATH.")]


@app.command()
def prepare(
    data: Data,
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    split: Annotated[
        str | None, typer.Option(help="patient, field or random. [the most honest there is]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    folds: Annotated[int, typer.Option(min=2, help="The test part is one of so many.")] = 5,
    fold: Annotated[int, typer.Option(min=0, help="Which one.")] = 0,
    hold_out: Annotated[
        str | None, typer.Option(help="The source's own parts as test, such as prelim_test.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Write a manifest: path, label, patient, group, split, sha256."""
    from allsight.verbs.prepare import prepare as write

    with progress_bar() as progress:
        done = write(
            data,
            out=out,
            split=split,
            seed=seed,
            folds=folds,
            fold=fold,
            hold_out=tuple(hold_out.split(",")) if hold_out else (),
            progress=progress,
        )
    lines = [f"{done.manifest}: split by {done.split}"]
    lines += [f"  {part}: {n} images in {done.n_groups[part]} groups" for part, n in done.n_images.items()]
    if done.verification is not None:
        v = done.verification
        lines.append(
            f"  files: {v.verified} verified, {len(v.altered)} altered, {len(v.unknown)} unknown, {v.absent} absent"
        )
    show(done.to_json(), "\n".join(lines), as_json=json)
    for name in () if done.verification is None else done.verification.altered:
        say(f"altered: {name} is not the file its source published")
    unreadable = [name for name, reason in done.excluded.items() if reason.startswith("unreadable")]
    for name in unreadable:
        say(f"left out: {name}: {done.excluded[name]}")
    if unreadable or (done.verification is not None and done.verification.altered):
        raise typer.Exit(SOME_FAILED)


@app.command()
def audit(
    data: Data,
    against: Annotated[
        str | None, typer.Option(help="DATA in which originals of these images are looked for.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for audit.json.")] = None,
    seed: Annotated[int, typer.Option(help="Of the shortcut controls.")] = 0,
    json: AsJson = False,
) -> None:
    """Repeats, leaks, and what can be told without looking at cells."""
    from allsight.verbs.audit import audit as examine

    with progress_bar() as progress:
        found = examine(data, against=against, out=out, seed=seed, progress=progress)
    show(found.to_json(), _audit_text(found), as_json=json)
    for name, error in found.unreadable.items():
        say(f"failed: {name}: {error}")
    if found.unreadable:
        raise typer.Exit(SOME_FAILED)


@app.command()
def synthesize(
    recipe: Annotated[str, typer.Argument(help="A seed with options, such as '7?images=100&patients=10'.")],
    out: Annotated[Path, typer.Option(help="An empty or new folder.")],
    masks: Annotated[bool, typer.Option(help="Write the exact masks too.")] = True,
    json: AsJson = False,
) -> None:
    """Write generated smears as PNG files with masks and a manifest."""
    from allsight.verbs.synthesize import synthesize as write

    with progress_bar() as progress:
        done = write(recipe, out=out, masks=masks, progress=progress)
    show(done.to_json(), f"{done.manifest}: {done.n_images} images", as_json=json)


def _audit_text(found: Audit) -> str:
    counts = ", ".join(f"{name} {n}" for name, n in found.classes.items())
    lines = [f"{found.data}: {found.n_images} images ({counts})", *found.notes]
    lines.append(f"byte-identical: {len(found.exact_duplicates)} groups")
    groups = found.groups
    lines.append(
        f"repeats: {groups.n_groups} groups of two or more images, {groups.n_repeats} images to spare, largest "
        f"{groups.largest}; {len(groups.crossing_classes)} across classes"
    )
    lines += [f"LEAK: {leak.group} stands in {' and '.join(leak.parts)}" for leak in found.leaks]
    lines.append(f"what can be told without looking at cells, in 5 folds; honest split: {found.split}")
    lines += [
        f"  {name:<20} accuracy {t.accuracy:.3f}, macro-F1 {t.f1_macro:.3f}"
        for name, t in found.shortcuts.items()
    ]
    for match in found.against or ():
        original = "no original found" if match.original is None else f"copy of {match.original}"
        lines.append(f"{match.image}: {original} ({match.inliers} places agree)")
    if found.caution:
        lines.append(found.caution)
    return "\n".join(lines)
