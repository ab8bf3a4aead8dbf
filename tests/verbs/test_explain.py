"""`explain`: files as promised, bad input named, scores beside controls, the hardest images in the report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from allsight.cli.main import main
from allsight.core.errors import UsageError
from allsight.core.records import Sample
from allsight.models.bundle import read_split
from allsight.verbs.evaluate import evaluate
from allsight.verbs.explain import explain
from allsight.verbs.predict import predict
from allsight.verbs.report import report
from allsight.verbs.subjects import evenly
from tests.verbs.conftest import DATA

QUICK = {"lime": {"samples": 20, "superpixels": 4}, "integrated_gradients": {"steps": 4}}


def test_maps_and_pictures_lie_on_the_images_own_pixels(
    bundle: Path, smears: list[Path], tmp_path: Path
) -> None:
    found = explain(bundle, smears[:2], settings=QUICK, out=tmp_path / "out")
    assert len(found.heatmaps) == 8
    for one in found.heatmaps:
        heatmap = np.load(one.heatmap)
        size = Image.open(one.path).size
        assert heatmap.dtype == np.float32
        assert heatmap.shape == size[::-1]
        assert Image.open(one.overlay).size == size
    assert len(found.strips) == 2
    assert all(Path(strip).is_file() for strip in found.strips.values())


def test_an_image_too_large_is_explained_smaller_and_its_map_laid_back(
    bundle: Path, smears: list[Path], tmp_path: Path
) -> None:
    large, small = tmp_path / "large.png", tmp_path / "small.png"
    with Image.open(smears[0]) as image:
        image.resize((1536, 1024), Image.Resampling.NEAREST).save(large)
        image.resize((1024, 683), Image.Resampling.BOX).save(small)
    found = explain(bundle, [large, small], settings=QUICK, out=tmp_path / "out")
    maps = {(Path(h.path).stem, h.method): np.load(h.heatmap) for h in found.heatmaps}
    for one in found.heatmaps:
        if Path(one.path) == large:
            assert one.used["explained_at"] == [683, 1024]
            assert maps["large", one.method].shape == (1024, 1536)
            assert Image.open(one.overlay).size == (1024, 683)
        else:
            assert "explained_at" not in one.used
    whole, reduced = maps["large", "cam"], maps["small", "cam"]
    assert whole.mean() == pytest.approx(reduced.mean(), abs=0.02 * float(np.abs(reduced).mean()))
    rise = maps["small", "integrated_gradients"].sum()
    assert maps["large", "integrated_gradients"].sum() == pytest.approx(rise, rel=0.02)
    at = np.ix_(np.arange(683) * 1024 // 683, np.arange(1024) * 1536 // 1024)
    assert np.corrcoef(whole[at].ravel(), reduced.ravel())[0, 1] > 0.99


def test_the_command_prints_the_promised_keys_and_goes_on_past_damage(
    bundle: Path, smears: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(smears[0].read_bytes()[:200])
    images = [str(broken), str(smears[0])]
    code = main(
        [
            "explain",
            str(bundle),
            *images,
            "--methods",
            "cam,grad-cam",
            "--out",
            str(tmp_path / "out"),
            "--json",
        ]
    )
    document = json.loads(capsys.readouterr().out)
    assert code == 3
    assert [f["path"] for f in document["failed"]] == [str(broken)]
    assert [e["method"] for e in document["explanations"]] == ["cam", "grad_cam"]
    assert {"path", "method", "class", "heatmap", "overlay", "seconds", "scores"} <= set(
        document["explanations"][0]
    )
    assert json.loads((tmp_path / "out" / "explanations.json").read_text()) == document


def test_each_map_says_what_predict_says_of_the_image(
    bundle: Path, smears: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixel = tmp_path / "pixel.png"
    Image.new("RGB", (1, 1), "white").save(pixel)
    images = [pixel, *smears[:3]]
    expected = {p.path: p.to_json() for p in predict(bundle, images).predictions}
    out = tmp_path / "out"
    command = ["explain", str(bundle), *map(str, images), "--methods", "cam,grad-cam", "--out", str(out)]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    entries = json.loads((out / "explanations.json").read_text())["explanations"]
    assert len(entries) == 2 * len(images)
    for entry, line in zip(entries, lines, strict=False):
        said = expected[entry["path"]]
        assert (entry["verdict"], entry["reasons"]) == (said["verdict"], list(said["reasons"]))
        assert line.partition(entry["overlay"])[2] == (
            f"  refer: {'; '.join(said['reasons'])}" if said["verdict"] == "refer" else ""
        )
    assert entries[0]["verdict"] == "refer"
    assert "no cells found" in lines[0]


def test_unseen_data_is_scored_beside_the_controls(bundle: Path, tmp_path: Path) -> None:
    found = explain(
        bundle, data=DATA, limit=8, settings=QUICK, score=True, repeats=1, maps=False, out=tmp_path / "out"
    )
    held_out = {row.name for row in read_split(bundle) if row.part == "test"}
    assert {h.path for h in found.heatmaps} <= held_out
    card = found.scorecard
    assert card is not None
    assert card.controls == ("centre_blob", "random_control")
    assert set(card.methods) == {"cam", "grad_cam", "integrated_gradients", "lime", *card.controls}
    assert card.methods["cam"]["deletion"].n_images == 8
    assert card.methods["cam"]["randomisation"].n_images <= 1
    assert set(card.methods["cam"]["deletion"].over) == set(card.controls)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["explanations.json"]


def test_the_hardest_images_stand_in_the_report_with_their_maps(bundle: Path, tmp_path: Path) -> None:
    run = evaluate(bundle, DATA, out=tmp_path / "run", resamples=50, controls=False).run
    before = report(run).read_text()
    found = explain(bundle, run=run, limit=2, methods=["cam", "grad_cam"])
    after = report(run).read_text()
    assert found.out == run / "explanations"
    assert "Where the model looked" not in before
    assert after.count('class="strip"') == 2
    moved = tmp_path / "elsewhere"
    run.rename(moved)
    assert report(moved).read_text().count('class="strip"') == 2


def test_an_interruption_keeps_what_is_done(bundle: Path, smears: list[Path], tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "images" and done == 2 < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain(bundle, smears[:4], methods=["cam"], out=tmp_path / "out", progress=stop)
    document = json.loads((tmp_path / "out" / "explanations.json").read_text())
    assert [e["path"] for e in document["explanations"]] == [str(p) for p in smears[:2]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"methods": ["gradcam"]},
        {"target": "Purple"},
        {"data": DATA},
        {"settings": {"lime": {"colour": "3"}}, "methods": ["lime"]},
    ],
)
def test_wrong_usage_is_said_before_anything_is_written(
    bundle: Path, smears: list[Path], tmp_path: Path, arguments: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        explain(bundle, smears[:1], out=tmp_path / "out", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "not none"),
        (["x.png", "--run", "r"], "not images and a run"),
        (["x.png", "--class", "ALL"], "'ALL'"),
    ],
)
def test_wrong_usage_is_said_before_anything_heavy_is_imported(
    bundle: Path, arguments: list[str], told: str
) -> None:
    command = ["explain", str(bundle), *arguments]
    code = (
        "import sys; from allsight.cli.main import main; "
        f"code = main({command!r}); print(*sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert not {"torch", "cv2", "scipy", "sklearn", "openvino", "allsight.verbs.explain"} & set(
        done.stdout.split()
    )


@pytest.mark.parametrize("text", ["lime", "lime.samples", "samples=3", "=", "lime.=3"])
def test_a_setting_that_cannot_be_read_is_wrong_usage(
    bundle: Path, smears: list[Path], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(bundle), str(smears[0]), "--set", text]) == 2
    assert "METHOD.NAME=VALUE" in capsys.readouterr().err


def test_a_limit_takes_as_many_of_each_label_as_it_can() -> None:
    samples = [Sample(name=f"{label}{i}", label=label) for label in "ab" for i in range(10)]
    samples += [Sample(name="c0", label="c")]
    taken = evenly(samples, limit=7, seed=1)
    assert [sum(s.label == label for s in taken) for label in "abc"] == [3, 3, 1]
    assert [s.name for s in taken] == [s.name for s in samples if s in taken]
    assert evenly(samples, limit=7, seed=1) == taken
    assert evenly(samples, limit=7, seed=2) != taken
