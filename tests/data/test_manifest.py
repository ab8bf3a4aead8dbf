"""Manifests: what is written comes back, to the character; what is out of form is named with its row."""

from __future__ import annotations

import csv
import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allsight.core.errors import DataError, ImageError, UsageError
from allsight.core.records import PARTS
from allsight.data.datasets.manifest import Manifest
from allsight.data.manifest import COLUMNS, ManifestRow, read_manifest, write_manifest
from tests.contracts.layouts import save_image

TEXT = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1, max_size=12)
ROWS = st.lists(
    st.builds(
        ManifestRow,
        path=TEXT,
        label=st.none() | TEXT,
        patient=st.none() | TEXT,
        group=st.none() | TEXT,
        split=st.none() | st.sampled_from(PARTS),
        sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
        part=st.none() | TEXT,
        number=st.none() | st.integers(0, 10**9),
    ),
    max_size=6,
    unique_by=lambda row: row.path,
)


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_what_is_written_is_read_back(rows: list[ManifestRow]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.csv"
        write_manifest(path, rows)
        assert read_manifest(path) == tuple(rows)
        with path.open(encoding="utf-8", newline="") as file:
            assert [line["path"] for line in csv.DictReader(file)] == [row.path for row in rows]


def test_columns_in_which_nothing_is_said_are_left_out(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", [ManifestRow("a.png", "x"), ManifestRow("b.png", number=3)])
    assert (tmp_path / "m.csv").read_text() == "path,label,number\na.png,x,\nb.png,,3\n"


def test_a_spreadsheets_habits_are_understood(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    text = f"\ufefflabel,path,sha256\r\nx,a.png,{digest.upper()}\r\n\r\n"
    (tmp_path / "m.csv").write_text(text, encoding="utf-8", newline="")
    assert read_manifest(tmp_path / "m.csv") == (ManifestRow("a.png", "x", sha256=digest),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found nothing"),
        ("path,class\na.png,x\n", "found path, class"),
        ("path,label,pateint\na.png,x,1\n", "no column called 'pateint'"),
        ("path;label\na.png;x\n", "path;label"),
        ("path,label,label\na.png,x,y\n", "the column label stands twice"),
        ("label\nx\n", "found label"),
        ("path,label\na.png\n", "row 1: expected 2 values, found 1"),
        ("path,label\na.png,x\nb.png,x,y\n", "row 2: expected 2 values, found 3"),
        ("path,label\n,x\n", "row 1: the path is empty"),
        ("path,label\na.png,x\na.png,y\n", "row 2: a.png stands twice"),
        ("path,label,split\na.png,x,val\n", "'val' is none of train, validation, test"),
        ("path,label,sha256\na.png,x,abc\n", "no SHA-256"),
        ("path,label,number\na.png,x,1.5\n", "'1.5' is not a whole number"),
        ("path,label,number\na.png,x,-1\n", "'-1' is not a whole number"),
        ('path,label\na.png,"x\n', "cannot be read"),
        ('path,label\na.png,"x\ny"\n', "control character"),
    ],
)
def test_what_is_out_of_form_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_manifest(tmp_path / "m.csv")
    assert said in caught.value.message
    assert "m.csv" in caught.value.message
    assert all(column in caught.value.hint for column in COLUMNS)


def test_what_is_no_text_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"path,label\n\xff\xfe\x00,x\n")
    for name in ("m.csv", "gone.csv", "."):
        with pytest.raises(DataError, match="cannot be read"):
            read_manifest(tmp_path / name)


@pytest.mark.parametrize(
    "row",
    [
        ManifestRow(""),
        ManifestRow("a", label=""),
        ManifestRow("a", label="x\ny"),
        ManifestRow("a", label="\ud800"),
        ManifestRow("a", split="all"),
        ManifestRow("a", sha256="A" * 64),
        ManifestRow("a", number=-1),
    ],
)
def test_rows_that_would_not_come_back_are_not_written(tmp_path: Path, row: ManifestRow) -> None:
    with pytest.raises(DataError, match="row 2"):
        write_manifest(tmp_path / "m.csv", [ManifestRow("first"), row])
    assert list(tmp_path.iterdir()) == []


# The data set


def _three(folder: Path) -> list[ManifestRow]:
    """Images 2, 0 and 1, in this order, with all columns filled."""
    rows = []
    for at in (2, 0, 1):
        path = save_image(folder / f"images/{at}.png", seed=at)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        row = ManifestRow(
            f"images/{at}.png", "ab"[at % 2], f"p{at}", f"g{at}", PARTS[at], digest, "lab 1", at
        )
        rows.append(row)
    return rows


def test_the_data_set_holds_what_the_columns_say(tmp_path: Path) -> None:
    rows = _three(tmp_path)
    write_manifest(tmp_path / "m.csv", rows)
    dataset = Manifest.open(str(tmp_path / "m.csv"))
    for sample, row in zip(dataset.samples, sorted(rows, key=lambda row: row.path), strict=True):
        assert (sample.name, sample.label, sample.patient) == (row.path, row.label, row.patient)
        assert (sample.part, sample.number) == (row.part, row.number)
        assert sample.path == tmp_path / row.path
        assert dataset.groups()[sample.name] == row.group
        assert dataset.parts()[sample.name] == row.split
        assert dataset.read(sample).shape == (24, 24, 3)
    assert (dataset.classes, dataset.suspicious) == (("a", "b"), ())
    assert dataset.units == ("patient", "field", "random")


def test_units_follow_the_columns(tmp_path: Path) -> None:
    rows = _three(tmp_path)
    write_manifest(tmp_path / "m.csv", [replace(row, patient=None) for row in rows])
    assert Manifest.open(str(tmp_path / "m.csv")).units == ("field", "random")
    write_manifest(tmp_path / "m.csv", [replace(rows[0], patient=None), *rows[1:]])
    with pytest.raises(DataError, match="2 of 3 labelled images name a patient"):
        Manifest.open(str(tmp_path / "m.csv"))
    # An image without a label takes part in no split.
    write_manifest(tmp_path / "m.csv", [replace(rows[0], patient=None, label=None), *rows[1:]])
    assert Manifest.open(str(tmp_path / "m.csv")).units[0] == "patient"


def test_a_file_that_is_not_the_listed_one_is_not_read(tmp_path: Path) -> None:
    rows = _three(tmp_path)
    write_manifest(tmp_path / "m.csv", rows)
    dataset = Manifest.open(str(tmp_path / "m.csv"))
    save_image(tmp_path / "images/1.png", seed=77)
    with pytest.raises(ImageError, match=r"1\.png") as caught:
        dataset.read(dataset.samples[1])
    assert "SHA-256" in caught.value.message
    assert dataset.read(dataset.samples[0]).dtype == np.uint8


def test_absolute_paths_and_missing_files(tmp_path: Path) -> None:
    elsewhere = save_image(tmp_path / "elsewhere/a.png")
    (tmp_path / "tables").mkdir()
    rows = [
        ManifestRow(str(elsewhere), "x"),
        ManifestRow("../elsewhere/a.png", "x"),
        ManifestRow("b.png", "x"),
    ]
    write_manifest(tmp_path / "tables/m.csv", rows)
    dataset = Manifest.open(str(tmp_path / "tables/m.csv"))
    there = [sample for sample in dataset.samples if sample.name != "b.png"]
    np.testing.assert_array_equal(dataset.read(there[0]), dataset.read(there[1]))
    with pytest.raises(ImageError, match=r"b\.png"):
        dataset.read(next(sample for sample in dataset.samples if sample.name == "b.png"))


def test_suspicious_classes_are_named_and_not_guessed(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", [ManifestRow("1.png", "blast"), ManifestRow("2.png", "normal")])
    assert Manifest.open(str(tmp_path / "m.csv")).suspicious == ()
    assert Manifest.open(f"{tmp_path / 'm.csv'}?suspicious=blast").suspicious == ("blast",)
    with pytest.raises(UsageError, match="Blast"):
        Manifest.open(f"{tmp_path / 'm.csv'}?suspicious=Blast")
