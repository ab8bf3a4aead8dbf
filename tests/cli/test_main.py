"""The command line answers at once, keeps its streams apart and knows its exit codes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from allsight import api
from allsight.cli.main import main


def cpu_seconds(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "allsight", *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def test_help_answers_at_once() -> None:
    cpu_seconds("--help")  # compiles the files once
    assert min(cpu_seconds("--help") for _ in range(3)) < 0.4


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for verb in ("data", "demo", "doctor", "evaluate", "predict", "report", "train"):
        assert f"\n  {verb} " in shown


@pytest.mark.parametrize(
    "arguments", [["trian"], ["predict"], ["train", "synthetic:1"], ["data", "audit"], []]
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_errors_are_documents_under_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "nothing", "--out", "x", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert set(document["error"]) == {"type", "message", "hint"}


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["healthy"] is True


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "Interrupted. A training goes on with --resume"),
        (PermissionError(13, "Permission denied", "/x/y"), 1, "/x/y: Permission denied. Check"),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_ending_within_a_verb_is_said(
    ending: BaseException,
    code: int,
    said: str,
    form: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def end() -> None:
        raise ending

    monkeypatch.setattr("allsight.verbs.doctor.doctor", end)
    assert main(["doctor", *form]) == code
    shown = capsys.readouterr()
    if form:
        error = json.loads(shown.out)["error"]
        assert f"{error['message']} {error['hint']}".startswith(said)
    else:
        assert " ".join(shown.err.removeprefix("error: ").split()).startswith(said)


def test_a_terminal_that_knows_fewer_letters_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "血.png").write_bytes(b"")
    ran = subprocess.run(
        [sys.executable, "-m", "allsight", "predict", str(tmp_path)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 3
    assert b"\\u8840.png: expected an image, found an empty file." in ran.stderr


def test_the_python_api_has_the_same_verbs() -> None:
    for verb in api.__all__:
        assert callable(getattr(api, verb))
    with pytest.raises(AttributeError, match="it has adapt"):
        api.trane  # noqa: B018
