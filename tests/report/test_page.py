"""The page: its figures are those of the file, it asks nothing of the network, and it escapes what it is given."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from allsight.core.errors import DataError
from allsight.core.files import write_json
from allsight.evaluate.metrics.families import OVERALL
from allsight.models.bundle import BundleConfig
from allsight.report import wording
from allsight.report.page import write_report

from .html import Page
from .runs import CLASSES, HOSTILE, evaluation_of, write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"), evaluation_of())


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    evaluation = evaluation_of(CLASSES[:2], n=8, groups=1, bare=True)
    folder = write_run(tmp_path_factory.mktemp("bare"), evaluation, extras=False)
    return write_report(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    names = '<img src=x onerror="alert({})">.png'
    evaluation = evaluation_of(HOSTILE, names=names, model={"name": "</title><script>m()</script>"})
    folder = write_run(tmp_path_factory.mktemp("hostile"), evaluation)
    return write_report(folder).read_text(encoding="utf-8")


def references(page: Page) -> Iterator[str]:
    """Everything a browser would fetch or follow."""
    for element in page.elements:
        for name, value in element.attributes.items():
            if name in {"src", "href", "xlink:href", "action", "poster", "srcset", "data", "background"}:
                yield value
            yield from re.findall(r"url\(([^)]*)\)", value)
        if element.tag == "style":
            yield from re.findall(r"url\(([^)]*)\)|@import", element.text)


def test_the_page_asks_nothing_of_the_network(page: Page, hostile: str) -> None:
    for read in (page, Page(hostile)):
        found = list(references(read))
        assert all(r.startswith(("#", "data:image/jpeg;base64,")) for r in found), found
        assert not read.all("script", "link", "iframe", "object", "base", "form")
        policy = [e for e in read.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy"]
        assert policy[0].attributes["content"].startswith("default-src 'none'")


def test_links_within_the_page_lead_somewhere_and_ids_are_unique(page: Page, bare: str) -> None:
    for read in (page, Page(bare)):
        ids = [e.attributes["id"] for e in read.elements if "id" in e.attributes]
        assert len(ids) == len(set(ids))
        assert {r[1:] for r in references(read) if r.startswith("#")} <= set(ids)


def test_every_metric_on_the_page_is_the_one_in_the_file(page: Page, folder: Path) -> None:
    document = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    rows = {
        e.text.partition("\xa0")[0].rstrip(" ↑↓"): e
        for e in page.all("th")
        if e.attributes.get("scope") == "row"
    }
    shown = {(float(e.attributes["value"]), e.text) for e in page.all("data")}
    for name, metric in OVERALL.items():
        value = document["metrics"][name]["value"]
        assert metric.title in rows
        assert (value, wording.figure(value, name).replace("\xa0", " ")) in shown
    for of in document["per_class"].values():
        for name, value in of.items():
            assert (value, wording.figure(value, name).replace("\xa0", " ")) in shown
    assert {float(e.attributes["value"]) for e in page.all("data")} <= set(_numbers(document))


def _numbers(document: Any) -> Iterator[float]:
    if isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from _numbers(value)
    elif isinstance(document, int | float):
        yield float(document)


def test_intervals_controls_and_confusion_are_those_of_the_file(page: Page, folder: Path) -> None:
    document = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    cells = [e.text for e in page.all("td")]
    accuracy = document["metrics"]["accuracy"]
    assert f"{100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f} %" in cells
    over = document["controls"]["colour_statistics"]["difference"]["f1_macro"]
    assert any(c == f"+{over['value']:.3f} {over['low']:.3f} to {over['high']:.3f}" for c in cells)
    counts = [int(e.text) for e in page.all("span") if e.attributes.get("class") == "count"]
    assert counts == [n for row in document["confusion"] for n in row]


def test_the_first_words_say_what_it_is_and_on_what_it_stands(page: Page, folder: Path) -> None:
    document = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    banner = next(e for e in page.all("p") if e.attributes.get("class") == "research-use")
    answer = next(e for e in page.all("p") if e.attributes.get("class") == "answer")
    assert page.elements.index(banner) < page.elements.index(answer)
    assert banner.text.startswith("Research use only.")
    assert (
        f"{100 * document['metrics']['accuracy']['value']:.1f} % of 120 images of 30 patients" in answer.text
    )
    assert "It clearly beats the one control that sees no cells" in answer.text
    assert any(e.text == "Generated smears, not patients." for e in page.all("li"))


def test_headings_step_down_one_at_a_time(page: Page, bare: str) -> None:
    for read in (page, Page(bare)):
        levels = [int(e.tag[1]) for e in read.all("h1", "h2", "h3", "h4", "h5", "h6")]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))


def test_pictures_and_plots_say_what_they_show(page: Page) -> None:
    assert len(page.all("img")) == 5
    assert all(e.attributes["alt"].startswith("Smear field-") for e in page.all("img"))
    plots = page.all("svg")
    assert len(plots) == 6
    assert all(e.attributes["role"] == "img" and len(e.attributes["aria-label"]) > 40 for e in plots)
    captions = page.all("figcaption")
    assert len(captions) == 6
    assert sum("120 images of 30 patients" in e.text for e in captions) == 4


def test_table_headings_say_whether_they_head_a_row_or_a_column(page: Page) -> None:
    headings = page.all("th")
    assert len(headings) > 40
    assert all(e.attributes.get("scope") in {"row", "col", "colgroup"} for e in headings)


def test_what_is_hostile_stays_text(hostile: str) -> None:
    read = Page(hostile)
    assert not read.all("script")
    assert not [e for e in read.elements if any(name.startswith("on") for name in e.attributes)]
    assert all(e.attributes["src"].startswith("data:") for e in read.all("img"))
    headings = [e.text for e in read.all("th")]
    assert all(any(name in heading for heading in headings) for name in HOSTILE)
    assert "</title><script>m()</script> on synthetic:0" in [e.text for e in read.all("h1")]
    legends = [e.text for e in read.all("text")]
    assert any("T-ALL $x^2$ &" in legend for legend in legends)


def test_a_run_with_nothing_but_figures_makes_a_page(bare: str) -> None:
    read = Page(bare)
    titles = [e.text for e in read.all("h2")]
    assert "Hardest images" not in titles
    assert "Training" not in titles
    assert "The data, audited" not in titles
    assert "What it must not be used for" in titles
    whole = " ".join(e.text for e in read.all("p", "li", "dd"))
    assert "All images are of one group, so no interval can be given." in whole
    assert "No control was measured" in whole
    assert "was not measured" in whole
    assert "None" not in whole


def test_the_other_records_of_a_run_are_shown(page: Page) -> None:
    facts = {a.text: b.text for a, b in itertools.pairwise(page.elements) if a.tag == "dt"}
    assert facts["byte-identical files"] == "5 in 2 sets"
    assert facts["of class Pre"] == "160"
    assert facts["versions, python"] == "3"
    assert any(e.text == "group: patient 11; parts: train, test" for e in page.all("li"))
    cells = [e.text for e in page.all("td")]
    assert "51.2 %" in cells
    assert "0.487" in cells
    assert any(e.text == "allsight evaluate B synthetic:0" for e in page.all("code"))
    assert any(e.text == "no picture in the run’s folder" for e in page.all("div"))


def test_the_bundle_speaks_for_itself_and_lends_its_training_log(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", evaluation_of(n=24, groups=6))
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (run / "training.csv").rename(bundle / "training.csv")
    config = BundleConfig.model_validate(
        {
            "name": "lite0",
            "backbone": "efficientnet-lite0",
            "id2label": dict(enumerate(CLASSES)),
            "suspicious": CLASSES[1:],
            "pooled": True,
            "preprocessing": {"size": 224},
            "weights": "packaged",
            "training": {"method": "freeze"},
            "data": {"source": "synthetic:0", "fingerprint": "f" * 64, "n_images": 640},
            "protocol": {
                "split": "patient",
                "seed": 0,
                "folds": 5,
                "fold": 0,
                "n_images": {"train": 500},
                "n_groups": {"train": 30},
            },
            "provenance": {},
        }
    )
    write_json(bundle / "config.json", config.model_dump(mode="json"))
    page = Page(write_report(run, bundle=bundle, out=tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "Training" in [e.text for e in page.all("h2")]
    facts = {a.text: b.text for a, b in itertools.pairwise(page.elements) if a.tag == "dt"}
    assert facts["preprocessing, size"] == "224"


def test_the_same_records_give_the_same_page_and_it_is_small(folder: Path, text: str, tmp_path: Path) -> None:
    again = write_report(folder, out=tmp_path / "again.html").read_text(encoding="utf-8")
    assert again == text
    assert len(text.encode()) < 3_000_000


def test_a_folder_without_an_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="allsight evaluate"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()
