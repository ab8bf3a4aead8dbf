"""The table of a study: as CSV for programs, as Markdown for documents, as a page for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allsight.evaluate.metrics.families import OVERALL
from allsight.evaluate.study import COMPARED, METRICS
from allsight.report import wording
from allsight.report.page import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allsight.evaluate.bootstrap import Estimate
    from allsight.evaluate.study import Row, Study

_TITLES = {
    **{name: metric.title for name, metric in OVERALL.items()},
    "suspicion_auc": "AUC of suspicion",
}


def csv_rows(study: Study) -> Iterator[list[str]]:
    """A header, then one line for each row and metric of the table."""
    yield ["row", "network", "recipe", "split", "folds", "images", "groups", "metric", "value", "low", "high"]
    for row in study.rows:
        facts = [
            row.name,
            row.backbone,
            row.recipe,
            row.split,
            in_words(row),
            str(row.n_images),
            str(row.n_groups),
        ]
        for name, found in _figures(row):
            yield [
                *facts,
                name,
                *("" if v is None else f"{v:.6f}" for v in (found.value, found.low, found.high)),
            ]
        for left in row.stress:
            yield [*facts, f"accuracy after {left.damage} {left.severity}", f"{left.mean:.6f}", "", ""]


def _figures(row: Row) -> Iterator[tuple[str, Estimate]]:
    yield from row.metrics.items()
    if row.suspicion_auc is not None:
        yield "suspicion_auc", row.suspicion_auc
    for control, found in row.controls.items():
        for name, estimate in found.items():
            yield f"control {control}: {name}", estimate


def in_words(row: Row) -> str:
    """Which test parts, and of how many."""
    if row.of_folds and len(row.folds) == row.of_folds:
        return f"all {row.of_folds} folds"
    return ", ".join(row.folds) + (f" of {row.of_folds}" if row.of_folds else "")


def tables(study: Study) -> str:
    """Markdown: the table, the controls, damages, comparisons, other data and what others claim."""
    parts = [f"Data: `{study.data}`. {study.caution}".strip(), _main_table(study)]
    remarks = [f"- {row.name}: {' '.join(row.remarks)}" for row in study.rows if row.remarks]
    if remarks:
        parts.append("\n".join(remarks))
    if any(row.stress for row in study.rows):
        parts += ["### What is left when the pictures are damaged", _stress_table(study.rows)]
    patients = [row for row in study.rows if row.by_patient is not None]
    if patients:
        lines = ["| network | patients | accuracy | F1, macro | AUC, macro |", "|---|---|---|---|---|"]
        for row in patients:
            found = row.by_patient
            told = (_told(e, m) for m, e in found.metrics.items()) if found else ()
            lines.append(f"| {row.name} | {found.n_patients if found else 0} | {' | '.join(told)} |")
        parts += ["### By patient: the mean of the probabilities of all images of each", "\n".join(lines)]
    if study.comparisons:
        lines = ["| best | minus | images | accuracy, points | F1, macro |", "|---|---|---|---|---|"]
        for c in study.comparisons:
            told = (
                f"{wording.difference(c.difference[m], m)} [{_range(c.difference[m], m)}]" for m in COMPARED
            )
            lines.append(f"| {c.first} | {c.second} | {c.n_images} | {' | '.join(told)} |")
        parts += ["### Side by side, on the same images", "\n".join(lines)]
    if study.elsewhere:
        lines = [
            "| model | tried on | told apart | images | accuracy | AUC of suspicion | answered |",
            "|---|---|---|---|---|---|---|",
        ]
        for e in study.elsewhere:
            auc = e.metrics.get("suspicion_auc")
            lines.append(
                f"| {e.row}, {e.fold} | {e.data} | {', '.join(e.classes)} | {e.n_images} in {e.n_groups} groups | "
                f"{_told(e.metrics['accuracy'], 'accuracy')} | {'' if auc is None else _told(auc, 'auc')} | "
                f"{wording.figure(e.coverage.answered, 'answered')} |"
            )
        parts += ["### On data of other laboratories", "\n".join(lines)]
    if study.claims:
        lines = ["| claimed | with | figure | protocol | source |", "|---|---|---|---|---|"]
        lines += [
            f"| {_TITLES.get(c.metric, c.metric)} | {c.model} | {'> ' if c.is_bound else ''}{c.value:.4g} | "
            f"{c.protocol} | {c.source} |"
            for c in study.claims
        ]
        parts += ["### What others publish on this data (claims, not measured here)", "\n".join(lines)]
    if study.missing:
        parts += ["### Not in the table", "\n".join(f"- {m.model}: {m.reason}" for m in study.missing)]
    return "\n\n".join(parts) + "\n"


def _main_table(study: Study) -> str:
    shown = [m for m in METRICS if m != "f1_weighted" or study.ranking == m]
    graphs = sorted({graph for times in study.times.values() for graph in times})
    head = ["network", "started and trained", "split", "tested on", "million parameters"]
    head += [_TITLES[m] for m in shown] + [f"CPU ms, {graph}" for graph in graphs]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for split in dict.fromkeys(row.split for row in study.rows):
        rows = [row for row in study.rows if row.split == split]
        for row in rows:
            times = study.times.get(row.backbone, {})
            cells = [
                row.backbone,
                row.recipe,
                row.split,
                f"{in_words(row)}: {row.n_images} in {row.n_groups} groups",
            ]
            cells += [f"{row.parameters / 1e6:.1f}", *(_told(row.metrics[m], m) for m in shown)]
            cells += [f"{times[g]:.1f}" if g in times else "" for g in graphs]
            lines.append(f"| {' | '.join(cells)} |")
        for control, found in rows[0].controls.items() if rows else ():
            told = {m: _told(found[m], m) for m in COMPARED}
            cells = [f"*control: {control}*", "random forest, no cells", split, f"as {rows[0].backbone}", ""]
            cells += [told.get(m, "") for m in shown] + [""] * len(graphs)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _stress_table(rows: Sequence[Row]) -> str:
    lines = [
        "| damage | network | split | accuracy, mean of folds | worst fold | answered | accuracy of that | controls |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key in dict.fromkeys((s.damage, s.severity) for row in rows for s in row.stress):
        for row in rows:
            for s in row.stress:
                if (s.damage, s.severity) == key:
                    controls = ", ".join(f"{c} {v:.3f}" for c, v in s.controls.items())
                    answered = f"{_share(s.answered)} | {_share(s.accuracy_answered)}"
                    lines.append(
                        f"| {wording.words(s.damage)}: {s.meaning} | {row.backbone}, {row.recipe} | {row.split} | "
                        f"{s.mean:.4f} | {s.worst:.4f} | {answered} | {controls} |"
                    )
    return "\n".join(lines)


def _told(found: Estimate, name: str) -> str:
    within = _range(found, name)
    return wording.figure(found.value, name) + (f" [{within}]" if within else "")


def _range(found: Estimate, name: str) -> str:
    return wording.interval(found, name).removesuffix(wording.PERCENT)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def study_page(study: Study) -> str:
    """The page as HTML: self-contained, no script, the same text for the same records."""
    return (
        environment()
        .get_template("study.html")
        .render(
            s=study,
            titles=_TITLES,
            shown=[m for m in METRICS if m != "f1_weighted" or study.ranking == m],
            compared=COMPARED,
            folds=in_words,
            graphs=sorted({graph for times in study.times.values() for graph in times}),
            damages=list(
                dict.fromkeys((d.damage, d.severity, d.meaning) for row in study.rows for d in row.stress)
            ),
            left={row.name: {(d.damage, d.severity): d for d in row.stress} for row in study.rows},
            facts=list(wording.facts(study.provenance)),
        )
    )
