"""Manifests: CSV files with one image a row. The card docs/data/manifest.md says what each column means."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from allsight.core.errors import DataError
from allsight.core.files import whole_file
from allsight.core.records import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One image of a manifest; the fields are its columns, None an empty cell.

    Attributes:
        path: the file, absolute or relative to the manifest's folder, with forward slashes.
        label: class name.
        patient: who it was taken from.
        group: what must stay on one side of a split, such as repeats of one field.
        split: "train", "validation" or "test" where that is decided already.
        sha256: hash of the file, 64 hexadecimal digits.
        part: the source's own division, such as "fold_0".
        number: place in a numbering whose neighbours tend to be one patient.
    """

    path: str
    label: str | None = None
    patient: str | None = None
    group: str | None = None
    split: str | None = None
    sha256: str | None = None
    part: str | None = None
    number: int | None = None


COLUMNS = tuple(field.name for field in fields(ManifestRow))
_ALWAYS = ("path", "label")
_HINT = f"A manifest is UTF-8 with commas; its first line names columns among {', '.join(COLUMNS)}."
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def write_manifest(path: Path, rows: Iterable[ManifestRow]) -> None:
    """Write a manifest, whole or not at all; columns in which no row says anything are left out.

    Raises:
        DataError: a row is not one that `read_manifest` would give back: an empty text where None is meant,
            two rows for one path, a split or hash out of form, a control character.
    """
    rows = tuple(rows)
    _check(rows, path)
    used = [
        name for name in COLUMNS if name in _ALWAYS or any(getattr(row, name) is not None for row in rows)
    ]
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(used)
        table.writerows([getattr(row, name) for name in used] for row in rows)


def read_manifest(path: Path) -> tuple[ManifestRow, ...]:
    """The rows of a manifest, in its order.

    Raises:
        DataError: the file is missing or not in form, lacks the column path or label, has one of unknown name
            (a misspelt "patient" would let patients leak), or a row breaks the rules of `write_manifest`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file, strict=True) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a manifest ({error}).", hint=_HINT) from error
    header = lines[0] if lines else []
    if wrong := _wrong_header(header):
        raise DataError(f"{path}: {wrong}.", hint=_HINT)
    rows = tuple(_row(header, line, where=f"{path}, row {at}") for at, line in enumerate(lines[1:], start=1))
    _check(rows, path)
    return rows


def _wrong_header(header: Sequence[str]) -> str:
    """What is wrong with the names of the columns; "" where nothing is."""
    if missing := [name for name in _ALWAYS if name not in header]:
        return (
            f"expected the columns path and label, found {', '.join(header) or 'nothing'} (no {missing[0]})"
        )
    if strange := [name for name in header if name not in COLUMNS]:
        return f"there is no column called {strange[0]!r}"
    if twice := [name for name in header if header.count(name) > 1]:
        return f"the column {twice[0]} stands twice"
    return ""


def _row(header: Sequence[str], line: Sequence[str], *, where: str) -> ManifestRow:
    if len(line) != len(header):
        raise DataError(f"{where}: expected {len(header)} values, found {len(line)}.", hint=_HINT)
    texts = {name: text or None for name, text in zip(header, line, strict=True)}
    path, number, sha256 = texts.pop("path"), texts.pop("number", None), texts.pop("sha256", None)
    if number is not None and not (number.isascii() and number.isdigit()):
        raise DataError(f"{where}: the number {number!r} is not a whole number.", hint=_HINT)
    return ManifestRow(
        path or "",
        number=None if number is None else int(number),
        sha256=None if sha256 is None else sha256.lower(),  # some systems print hashes in capitals
        **texts,
    )


def _check(rows: Sequence[ManifestRow], manifest: Path) -> None:
    seen: set[str] = set()
    for at, row in enumerate(rows, start=1):
        texts = [text for name in COLUMNS if isinstance(text := getattr(row, name), str)]
        wrong = None
        if "" in texts:
            wrong = "the path is empty" if not row.path else "an empty text stands where nothing is known"
        elif any(_CONTROL.search(text) for text in texts):
            wrong = "a text holds a control character"
        elif row.path in seen:
            wrong = f"{row.path} stands twice"
        elif row.split is not None and row.split not in PARTS:
            wrong = f"the split {row.split!r} is none of {', '.join(PARTS)}"
        elif row.sha256 is not None and not _SHA256.fullmatch(row.sha256):
            wrong = f"{row.sha256!r} is no SHA-256 in hexadecimal"
        elif row.number is not None and row.number < 0:
            wrong = f"the number {row.number} is negative"
        if wrong:
            raise DataError(f"{manifest}, row {at}: {wrong}.", hint=_HINT)
        seen.add(row.path)
