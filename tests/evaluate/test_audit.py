"""The audit finds what was planted, and says nothing where nothing was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from allsight.core.records import Sample
from allsight.data.source import open_dataset
from allsight.evaluate.audit import audit
from tests.data.drawn import Drawn, field

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked here is plain enough for a small forest; an audit grows thirty of them."""
    monkeypatch.setattr("allsight.evaluate.shortcuts.TREES", 15)


KEYS = {"data", "n_images", "classes", "exact_duplicates", "groups", "leaks", "shortcuts"}


def planted() -> Drawn:
    """Two classes of which one is darker, one overlap, one copy across the classes, one damaged image."""
    images: dict[str, np.ndarray | None] = {}
    samples = []
    for i in range(10):
        label = ("bright", "dark")[i % 2]
        picture = field(60 + i)
        images[f"{label}/{i}"] = picture if label == "bright" else (picture * 0.7).astype(np.uint8)
        samples.append(Sample(f"{label}/{i}", label=label, part=f"fold_{i // 5}"))
    images["bright/8"] = field(60, left=150)  # overlaps bright/0 and stands in the other fold
    images["dark/9"] = images["bright/2"]  # the same bytes under another label, in the other fold
    images["dark/3"] = None
    samples.append(Sample("new", part="later"))
    images["new"] = None
    return Drawn(images, samples=sorted(samples, key=lambda s: s.name))


def test_what_was_planted_is_found() -> None:
    found = audit(planted(), name="planted:1")
    document = json.loads(json.dumps(found.to_json()))
    assert set(document) >= KEYS
    assert document["data"] == "planted:1"
    assert document["n_images"] == 11
    assert document["classes"] == {"bright": 5, "dark": 5}
    assert document["exact_duplicates"] == [["bright/2", "dark/9"], ["dark/3", "new"]]
    groups = document["groups"]
    assert (groups["n_groups"], groups["n_repeats"], groups["largest"]) == (2, 2, 2)
    assert groups["crossing_classes"] == [["bright/2", "dark/9"]]
    leaks = {leak["group"]: leak["parts"] for leak in document["leaks"]}
    assert leaks["bright/0"] == leaks["bright/2"] == ["fold_0", "fold_1"]
    assert set(document["unreadable"]) == {"dark/3", "new"}


def test_shortcuts_are_measured_under_random_and_the_honest_split() -> None:
    found = audit(planted(), name="planted:1").to_json()["shortcuts"]
    assert set(found) == {f"{c}_{s}" for c in ("colour", "background", "corner") for s in ("random", "field")}
    assert all(0 <= told[key] <= 1 for told in found.values() for key in ("accuracy", "f1_macro"))
    assert found["colour_field"]["accuracy"] >= 0.6


def test_a_planted_tint_is_told_and_its_absence_is_not() -> None:
    accuracy = {}
    for options in ("", "&shortcut=stain&strength=1"):
        data = open_dataset(f"synthetic:2?images=64&patients=32&size=64{options}")
        accuracy[options] = audit(data, name=options).shortcuts["colour_patient"].accuracy
    assert accuracy["&shortcut=stain&strength=1"] > accuracy[""] + 0.2


def test_the_second_audit_is_the_first_without_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLSIGHT_CACHE", str(tmp_path))  # other tests may have audited these images
    images = {f"{i}": field(70 + i) for i in range(4)}
    first, again = Drawn(images), Drawn(images)
    expected = audit(first, name="x")
    assert audit(again, name="x") == expected
    assert first.times_read > 0
    assert again.times_read == 0


def test_a_larger_forest_is_asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept depends on the forest too, not on pixels alone."""
    monkeypatch.setenv("ALLSIGHT_CACHE", str(tmp_path))
    images = {
        f"{label}/{i}": field(40 + 2 * i + k)[:64, :64] for i in range(6) for k, label in enumerate("ab")
    }
    samples = [Sample(name, label=name[0]) for name in sorted(images)]
    audit(Drawn(images, samples=samples), name="x")
    monkeypatch.setattr("allsight.evaluate.shortcuts.TREES", 3)
    audit(Drawn(images, samples=samples), name="x")
    assert len(list((tmp_path / "shortcuts_told").iterdir())) == 2


def test_originals_in_another_set_are_named() -> None:
    originals = Drawn({f"o{seed}": field(seed) for seed in range(80, 84)})
    copies = Drawn({"copy": np.ascontiguousarray(field(82)[:, ::-1]), "new": field(90)})
    matches = audit(copies, name="x", against=originals).against
    assert matches is not None
    assert {match.image: match.original for match in matches} == {"copy": "o82", "new": None}


def test_one_image_is_not_too_few() -> None:
    found = audit(Drawn({"a": field(95)}), name="one")
    assert found.shortcuts == {}
    assert "Controls need two groups" in found.notes[-1]


def test_patients_data_is_not_matched_field_by_field() -> None:
    samples = [Sample(name, label="all", patient=p) for name, p in (("a", "1"), ("b", "2"), ("c", "3"))]
    images = {"a": field(96), "b": field(96, left=120), "c": field(96)}
    data = Drawn(images, samples=samples, units=("patient", "random"))
    found = audit(data, name="cells")
    assert (found.groups.n_groups, found.groups.n_repeats) == (1, 1)
    assert found.exact_duplicates == (("a", "c"),)


@pytest.mark.real
def test_a_stretch_of_taleqani(real_data: Path) -> None:
    taleqani = open_dataset(f"taleqani:{real_data / 'taleqani'}")
    samples = [s for s in taleqani.samples if s.label in ("Pre", "Pro") and s.number and 90 < s.number < 131]
    images = {s.name: taleqani.read(s) for s in samples}
    found = audit(Drawn(images, samples=samples, overlay=taleqani.overlay), name="stretch")
    assert ("Original/Pro/WBC-Malignant-Pro-097.jpg", "Original/Pro/WBC-Malignant-Pro-098.jpg") in (
        found.exact_duplicates
    )
    assert found.groups.n_groups >= 5
    assert not found.groups.crossing_classes
    assert found.shortcuts["colour_field"].accuracy > 0.9
