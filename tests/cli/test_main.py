"""The command line answers at once, keeps its streams apart and knows its exit codes."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

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


def test_the_python_api_has_the_same_verbs() -> None:
    for verb in api.__all__:
        assert callable(getattr(api, verb))
    with pytest.raises(AttributeError, match="it has adapt"):
        api.trane  # noqa: B018
