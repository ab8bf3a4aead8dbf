"""A file appears whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from allsight.core.errors import UsageError
from allsight.core.files import check_writable, whole_file, write_json


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "result.json"
    write_json(target, {"a": 1})

    def fail() -> None:
        with whole_file(target) as part:
            part.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert target.read_text() == '{\n  "a": 1\n}\n'
    assert [p.name for p in target.parent.iterdir()] == ["result.json"]


def test_json_is_strict(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "x.json", {"nan": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_no_text_goes_through_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"bad\xff.jpg")
    write_json(tmp_path / "x.json", {"path": name})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"path": name}


def test_where_nothing_can_be_written_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file and no folder"):
        check_writable(tmp_path / "file" / "deep")
    monkeypatch.setattr(os, "access", lambda *_: False)  # whoever runs this may be allowed everything
    with pytest.raises(UsageError, match="may not be written to"):
        check_writable(tmp_path / "new")
