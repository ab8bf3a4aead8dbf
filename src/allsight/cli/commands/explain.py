"""`allsight explain [BUNDLE] IMAGES…`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allsight.cli import arguments
from allsight.cli.arguments import BUNDLE_AND_IMAGES
from allsight.cli.console import SOME_FAILED, AsJson, progress_bar, say, show
from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from allsight.evaluate.scorecard import Figure, Scorecard
    from allsight.verbs.explained import Explanations, Heatmap


def explain(
    bundle_and_images: Annotated[
        list[str], typer.Argument(help=BUNDLE_AND_IMAGES, metavar="[BUNDLE] [IMAGES...]")
    ],
    data: Annotated[str | None, typer.Option(help="Instead: the unseen images of this DATA.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="Instead: the hardest images of this evaluation, for its report.")
    ] = None,
    split: Annotated[str, typer.Option(help="The part of --data.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many images.")] = None,
    methods: Annotated[str, typer.Option(help="With commas between them.")] = (
        "cam,grad_cam,integrated_gradients,lime"
    ),
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="METHOD.NAME=VALUE, such as lime.samples=1000.")
    ] = None,
    target: Annotated[str | None, typer.Option("--class", help="[what the model names]")] = None,
    score: Annotated[bool, typer.Option(help="Score every map, beside two controls.")] = False,
    repeats: Annotated[
        int, typer.Option(min=0, help="Images on which scores are taken that need more explanations.")
    ] = 10,
    maps: Annotated[bool, typer.Option(help="Write maps and pictures.")] = True,
    contours: Annotated[bool, typer.Option("--contours", help="Outlines instead of overlays.")] = False,
    runtime: Annotated[
        str | None, typer.Option(help="pytorch, onnx or openvino. [the fastest that was exported]")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or int8. [the fastest there is]")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results. [explanations]")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of images, the scores and the bootstrap.")] = 0,
    json: AsJson = False,
) -> None:
    """Heatmaps by CAM, Grad-CAM, Integrated Gradients and LIME, with pictures and scores. Research use only."""
    from allsight.verbs.explain_request import check_request

    bundle, images = arguments.bundle_and_images(bundle_and_images)
    check_request(bundle, images, data=data, run=run, target=target)
    from allsight.verbs.explain import explain as answer

    with progress_bar() as progress:
        explained = answer(
            bundle,
            images,
            data=data,
            run=run,
            split=split,
            limit=limit,
            methods=[m for m in methods.split(",") if m.strip()],
            settings=_settings(setting or []),
            target=target,
            score=score,
            repeats=repeats,
            maps=maps,
            outlines=contours,
            runtime=runtime,
            precision=precision,
            out=out,
            seed=seed,
            progress=progress,
        )
    show(explained.to_json(), _text(explained), as_json=json)
    for method, reason in explained.inapplicable.items():
        say(f"without {method}: {reason}")
    for failure in explained.failed:
        say(f"failed: {failure.error}")
    if explained.failed:
        raise typer.Exit(SOME_FAILED)


def _settings(given: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        method, dot, setting = name.partition(".")
        if not (equals and dot and method and setting):
            raise UsageError(
                f"--set takes METHOD.NAME=VALUE, not {text!r}.", hint="For example --set lime.samples=1000."
            )
        found.setdefault(method, {})[setting] = value
    return found


def _text(explained: Explanations) -> str:
    lines = [
        f"{h.path}  {h.target}  {h.method}  {h.seconds:.2f} s  {h.overlay}{_referred(h)}"
        for h in explained.heatmaps
        if h.overlay
    ]
    if explained.scorecard is not None:
        lines += table(explained.scorecard)
    return "\n".join(
        [
            *lines,
            f"explained {explained.model} on {explained.runtime}; results: {explained.out}",
            "Research use only: a map shows what the model used, not where disease is.",
        ]
    )


def _referred(heatmap: Heatmap) -> str:
    """That a person must look, and why; nothing of an image that the model answers."""
    return f"  refer: {'; '.join(heatmap.reasons)}" if heatmap.verdict == "refer" else ""


def table(card: Scorecard) -> list[str]:
    """A scorecard as lines of text: a row a method, a column a score."""
    scores = list(next(iter(card.methods.values()), {}))
    arrows = {s: ("↑" if m["higher_is_better"] else "↓") for s, m in card.measures.items()}
    heads = [f"{s} {arrows[s]}" if s in arrows else s for s in scores]
    widths = [max(13, len(head)) for head in heads]
    lines = [
        f"scores of {card.n_images} images in {card.n_groups} groups; * clearly better than both controls "
        "(95 % intervals of the paired differences)",
        " " * 22 + "  ".join(head.rjust(w) for head, w in zip(heads, widths, strict=True)),
    ]
    for method, figures in card.methods.items():
        name = method.replace("_", " ") + (" (control)" if method in card.controls else "")
        cells = [_cell(figures[s]).rjust(w) for s, w in zip(scores, widths, strict=True)]
        lines.append(f"{name[:22]:<22}" + "  ".join(cells))
    return lines


def _cell(figure: Figure) -> str:
    if figure.mean.value is None:
        return "–"
    return f"{figure.mean.value:.3f}{'*' if figure.beats_controls else ' '}"
