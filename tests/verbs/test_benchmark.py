"""`benchmark`: a row for each graph, and a page that says what came out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from allsight.cli.main import main
from allsight.core.errors import UsageError
from allsight.verbs.benchmark import benchmark


def test_a_row_for_each_graph_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "--backbones",
        "tiny",
        "--size",
        "64",
        "--rounds",
        "2",
        "--outputs",
        "all,plain",
        "--batches",
        "1,3",
    ]
    assert main(["benchmark", *arguments, "--out", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    graphs = {(r["runtime"], r["precision"], r["batch"], r["outputs"]) for r in document["rows"]}
    kinds = {("pytorch", "fp32"), ("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "int8")}
    outputs = ("logits, embedding", "logits, embedding, maps")
    assert graphs == {(*kind, batch, told) for kind in kinds for batch in (1, 3) for told in outputs}
    for r in document["rows"]:
        assert 0 < r["cpu_ms"]["low"] <= r["cpu_ms"]["median"] <= r["cpu_ms"]["high"]
        assert 30 < r["peak_mb"] < 3000
        assert r["top1_agreement"] == 1.0 or r["precision"] == "int8"
    torchless = min(r["peak_mb"] for r in document["rows"] if r["runtime"] != "pytorch")
    assert torchless < min(r["peak_mb"] for r in document["rows"] if r["runtime"] == "pytorch")
    page = (tmp_path / "speed.md").read_text()
    assert page.count("| tiny | 64 |") == len(graphs)
    assert "What class activation maps cost" in page
    assert (tmp_path / "speed.svg").read_text().startswith("<svg xmlns=")
    assert json.loads((tmp_path / "benchmark.json").read_text()) == document


def test_wrong_usage_is_named() -> None:
    with pytest.raises(UsageError, match="int4"):
        benchmark(backbones=["tiny"], precisions=["int4"])
    with pytest.raises(UsageError, match="nothing to measure"):
        benchmark(backbones=[], bundles=[])
