"""One self-contained HTML page of a run: no network, no script, readable on a telephone and on paper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allsight.core.files import write_text
from allsight.evaluate.document import Evaluation
from allsight.evaluate.metrics.families import OVERALL, PER_CLASS
from allsight.report import wording
from allsight.report.audit_summary import summary_of
from allsight.report.plots import controls, curves, reliability, training
from allsight.report.run import Run, read_run

if TYPE_CHECKING:
    from jinja2 import Environment

    from allsight.report.drawing import Plot

PAGE_FILE = "report.html"
_SUSPICION_TITLES = {
    "sensitivity_at_specificity_0.90": "Sensitivity at 90 % specificity",
    "sensitivity_at_specificity_0.95": "Sensitivity at 95 % specificity",
    "sensitivity": "Sensitivity as the model decides",
    "specificity": "Specificity as the model decides",
    "auc": "AUC",
    "ap": "Average precision",
}
_PER_CLASS_SHOWN = ("support", "precision", "recall", "specificity", "f1", "auc", "ap")


def write_report(folder: Path, *, bundle: Path | None = None, out: Path | None = None) -> Path:
    """Write the page of a run and give its path.

    Args:
        folder: holds evaluation.json and, if they were made, audit.json, training.csv and the hardest pictures.
        bundle: the bundle's folder, for its training log and what it says of itself.
        out: the page; by default report.html in `folder`.

    Raises:
        DataError: `folder` holds no evaluation, or a damaged one.
        BundleError: `bundle` is no bundle.
    """
    path = folder / PAGE_FILE if out is None else out
    write_text(path, page(read_run(folder, bundle=bundle)))
    return path


def page(run: Run) -> str:
    """The page as HTML, the same text for the same records."""
    evaluation = run.evaluation
    return (
        environment()
        .get_template("report.html")
        .render(
            run=run,
            e=evaluation,
            model=wording.name_of(evaluation.model),
            data=wording.name_of(evaluation.data, keys=("source", "name", "data")),
            sample=wording.sample(evaluation),
            protocol=wording.split_in_words(evaluation),
            controls_sentence=wording.controls_in_words(evaluation),
            warnings=_warnings(evaluation),
            overall=OVERALL,
            per_class={name: PER_CLASS[name] for name in _PER_CLASS_SHOWN},
            resamples=_resamples(evaluation),
            percent=wording.PERCENT,
            suspicion_titles=_SUSPICION_TITLES,
            confusion=_confusion(evaluation),
            plots=_plots(run),
            audit=None if run.audit is None else summary_of(run.audit),
            facts={
                "Protocol": list(wording.facts(evaluation.protocol)),
                "Software and machine": list(wording.facts(_without(evaluation.provenance, "command"))),
                "Model": list(
                    wording.facts(_without(run.card, "provenance") if run.card else evaluation.model)
                ),
            },
        )
    )


def environment() -> Environment:
    """What turns records into pages: everything is escaped, and a name that is not there is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("allsight.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        figure=wording.figure, interval=wording.interval, difference=wording.difference, words=wording.words
    )
    return made


def _warnings(evaluation: Evaluation) -> list[str]:
    return [text for text in (evaluation.caution, *evaluation.remarks) if text]


def _resamples(evaluation: Evaluation) -> int | None:
    bootstrap = evaluation.protocol.get("interval")
    n = bootstrap.get("resamples") if isinstance(bootstrap, Mapping) else None
    return n if isinstance(n, int) else None


def _without(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != key}


def _plots(run: Run) -> dict[str, tuple[Plot, ...]]:
    evaluation = run.evaluation
    return {
        "controls": (controls.plot(evaluation),) if evaluation.controls else (),
        "curves": (curves.roc(evaluation), curves.precision_recall(evaluation), reliability.plot(evaluation)),
        "training": training.plots(run.training, caption="From the training log, one point an epoch."),
    }


def _confusion(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Rows of cells: count, share of the row, and the depth of its tint, 0 to 100; the root lets few errors show."""
    rows = []
    for i, (label, counts) in enumerate(zip(evaluation.classes, evaluation.confusion, strict=True)):
        total = sum(counts)
        shares = [count / total if total else 0.0 for count in counts]
        cells = [
            {
                "count": count,
                "share": f"{100 * share:.0f} %",
                "depth": round(100 * share**0.5),
                "right": i == j,
            }
            for j, (count, share) in enumerate(zip(counts, shares, strict=True))
        ]
        rows.append({"label": label, "cells": cells, "total": total})
    return rows
