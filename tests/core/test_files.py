"""A file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from allsight.core.files import whole_file, write_json


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
