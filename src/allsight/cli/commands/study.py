"""`allsight study DATA --out FOLDER`"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allsight.cli.console import AsJson, progress_bar, say, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from allsight.core.progress import Progress


def study(
    data: Annotated[str, typer.Argument(help="Labelled DATA, such as taleqani:PATH.")],
    out: Annotated[Path, typer.Option(help="Folder of the study; what is there already is not done again.")],
    backbones: Annotated[str, typer.Option(help="Networks, with commas between them.")] = "",
    freeze: Annotated[bool, typer.Option("--freeze", help="Fit only the heads, on cached features.")] = False,
    weights: Annotated[
        str | None, typer.Option(help="imagenet, packaged, none, a bundle, or another study, to go on from.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=8, help="Side of the networks' input. [as published]")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="JSON of `allsight train --print-config`.")] = None,
    splits: Annotated[str, typer.Option(help="patient, field, random. [the most honest, and random]")] = "",
    seeds: Annotated[str, typer.Option(help="Of splits and training, with commas.")] = "0",
    folds: Annotated[int, typer.Option(min=2, help="Each test part is one of so many.")] = 5,
    only_folds: Annotated[str, typer.Option(help="Some of them, such as 0,1. [all]")] = "",
    hold_out: Annotated[
        str, typer.Option(help="The source's own parts as tests: fold_0,fold_1; a+b is two at once.")
    ] = "",
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="Also train on all of the data, for use, with these figures in the card."
        ),
    ] = False,
    export: Annotated[
        bool,
        typer.Option("--export", help="Write each model's OpenVINO graph, too, and test that: it is faster."),
    ] = False,
    bundles: Annotated[str, typer.Option(help="Bundles trained already, with commas.")] = "",
    elsewhere: Annotated[str, typer.Option(help="Other DATA to try every model on, with semicolons.")] = "",
    stress: Annotated[str, typer.Option(help="Damage the images, too: none, usual or all.")] = "none",
    benchmark: Annotated[
        Path | None, typer.Option(help="benchmark.json, for times beside the figures.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap over groups.")] = 2000,
    json: AsJson = False,
) -> None:
    """The paper's table under honest and usual protocols: trained, tested, compared. Goes on where it was stopped."""
    from allsight.cli.commands.train import settings_of
    from allsight.report.study import tables
    from allsight.verbs.study import study as compare

    with progress_bar() as progress:
        studied = compare(
            data,
            out=out,
            backbones=_listed(backbones),
            freeze=freeze,
            weights=weights,
            size=size,
            settings=settings_of(config),
            splits=_listed(splits),
            seeds=_numbers(seeds, "--seeds"),
            folds=folds,
            only_folds=_numbers(only_folds, "--only-folds"),
            hold_out=_listed(hold_out),
            whole=whole,
            export=export,
            bundles=_listed(bundles),
            elsewhere=_listed(elsewhere, between=";"),
            stress=stress,
            benchmark=benchmark,
            resamples=resamples,
            progress=progress if sys.stderr.isatty() else in_a_log(progress),
        )
    show(studied.to_json(), f"{tables(studied.study)}\nresults: {studied.out}", as_json=json)


def _listed(text: str, *, between: str = ",") -> list[str]:
    return [part.strip() for part in text.split(between) if part.strip()]


def _numbers(text: str, option: str) -> list[int]:
    from allsight.core.errors import UsageError

    try:
        return [int(part) for part in _listed(text)]
    except ValueError:
        raise UsageError(f"{option} takes whole numbers with commas, it got {text!r}.") from None


def in_a_log(progress: Progress, *, now: Callable[[], float] = time.monotonic) -> Progress:
    """Adds to `progress` a line a model, with the time that is left if the others take as long."""
    started = now()

    def report(what: str, done: int, total: int) -> None:
        if what != "study":
            progress(what, done, total)  # a model may take hours
        elif done:
            left = (now() - started) / done * (total - done) / 60
            say(f"{done} of {total} models" + (f", about {left:.0f} min left" if done < total else ""))

    return report
