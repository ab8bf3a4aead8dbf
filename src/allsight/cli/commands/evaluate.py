"""`allsight evaluate BUNDLE DATA`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allsight.cli.console import SOME_FAILED, AsJson, progress_bar, say, show

if TYPE_CHECKING:
    from allsight.evaluate.bootstrap import Estimate
    from allsight.evaluate.document import Coverage
    from allsight.verbs.evaluate import Evaluated


def evaluate(
    bundle: Annotated[str, typer.Argument(help="Folder that `allsight train` wrote, or builtin.")],
    data: Annotated[str, typer.Argument(help="Labelled DATA, such as taleqani:PATH.")],
    split: Annotated[str, typer.Option(help="test; or train or validation, to see the other side.")] = "test",
    out: Annotated[Path | None, typer.Option(help="Folder for the results. [runs/NAME-KIND-SPLIT]")] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap and the controls.")] = 0,
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap over groups.")] = 2000,
    controls: Annotated[bool, typer.Option(help="Fit the controls that see no cells.")] = True,
    stress: Annotated[
        str,
        typer.Option(help="Damage the images, too: none, usual (each damage once) or all (five severities)."),
    ] = "none",
    runtime: Annotated[
        str | None, typer.Option(help="pytorch, onnx or openvino. [the fastest that was exported]")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or int8. [the fastest there is]")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an evaluation of another model or DATA.")
    ] = False,
    json: AsJson = False,
) -> None:
    """All metrics with confidence intervals, on images the bundle was not trained on, controls beside it."""
    from allsight.verbs.evaluate import evaluate as measure

    with progress_bar() as progress:
        evaluated = measure(
            bundle,
            data,
            split=split,
            out=out,
            seed=seed,
            resamples=resamples,
            controls=controls,
            stress=stress,
            runtime=runtime,
            precision=precision,
            overwrite=overwrite,
            progress=progress,
        )
    show(evaluated.to_json(), table(evaluated), as_json=json)
    for name, error in evaluated.failed.items():
        say(f"failed: {name}: {error}")
    if evaluated.failed:
        raise typer.Exit(SOME_FAILED)


def table(evaluated: Evaluated) -> str:
    """The figures as lines of text."""
    found = evaluated.evaluation
    protocol = found.protocol
    lines = [
        f"{protocol['n_images']} images in {protocol['n_groups']} groups, part {protocol.get('part', '')!r}, "
        f"split by {protocol['split']}; 95 % intervals from a bootstrap over groups"
    ]
    lines += [f"  {name:<18} {_figure(e)}" for name, e in found.metrics.items()]
    lines += _coverage(found.coverage, n_images=protocol["n_images"])
    if found.by_patient is not None:
        lines.append(f"{found.by_patient.n_patients} patients, by the mean of their images' probabilities:")
        lines += [f"  {name:<18} {_figure(e)}" for name, e in found.by_patient.metrics.items()]
    if found.controls:
        lines.append("without looking at cells:")
    for name, control in found.controls.items():
        accuracy = "–" if control.accuracy is None else f"{control.accuracy:.3f}"
        # Where the model is not better a remark says so, below.
        better = "; the model is clearly better" if control.model_clearly_better else ""
        lines.append(f"  {name:<18} accuracy {accuracy}{better}")
    if found.stress:
        lines.append("damaged on the way (severity): accuracy; answered; accuracy of what was answered")
    lines += [
        f"  {f'{row.damage} ({row.severity})':<18} {_figure(row.metrics['accuracy'])}; "
        f"{_share(row.coverage.answered)}; {_share(row.coverage.accuracy_answered)}"
        for row in found.stress
    ]
    lines += [text for text in (found.caution, *found.remarks) if text]
    lines += [
        f"results: {evaluated.run}",
        f"next: allsight explain BUNDLE --run {evaluated.run}, then allsight report {evaluated.run}",
    ]
    return "\n".join(lines)


def _coverage(coverage: Coverage, *, n_images: int) -> list[str]:
    """How many images were answered and how right that was; nothing of a model that refers none."""
    from allsight.evaluate.bootstrap import Estimate

    if coverage.n_answered is None:
        return []
    share, right = (
        Estimate(value, coverage.intervals[name].low, coverage.intervals[name].high)
        for name, value in (
            ("answered", coverage.answered),
            ("accuracy_answered", coverage.accuracy_answered),
        )
    )
    return [
        f"answered {coverage.n_answered}, referred to a person {n_images - coverage.n_answered}:",
        f"  {'answered':<18} {_figure(share)}",
        f"  {'right of these':<18} {_figure(right)}",
    ]


def _figure(estimate: Estimate) -> str:
    if estimate.value is None:
        return "undefined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f}  [{estimate.low:.4f}, {estimate.high:.4f}]"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
