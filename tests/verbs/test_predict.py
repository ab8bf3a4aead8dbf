"""`predict` answers good images, names bad ones, and is never stopped by them."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from allsight.cli.main import main
from allsight.inference.predictor import Failure
from allsight.verbs.predict import predict
from tests.verbs.conftest import DATA

if TYPE_CHECKING:
    from numpy.typing import NDArray


def damaged(kind: str, original: bytes, rng: random.Random) -> bytes:
    """A PNG file damaged in one way."""
    if kind == "cut":
        return original[: rng.randrange(1, len(original) - 20)]
    if kind == "flipped":
        data = bytearray(original)
        for _ in range(rng.randrange(1, 9)):
            data[rng.randrange(8, len(data) - 12)] ^= 1 << rng.randrange(8)  # PNG checks every chunk
        return bytes(data)
    if kind == "zeros":
        return bytes(rng.randrange(1, 4000))
    if kind == "noise":
        return rng.randbytes(rng.randrange(1, 4000))
    if kind == "bomb":
        side = rng.randrange(20_000, 60_000)
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        return (
            original[:8]
            + struct.pack(">I", 13)
            + chunk
            + struct.pack(">I", zlib.crc32(chunk))
            + original[33:]
        )
    return b""


def test_two_thousand_damaged_images(bundle: Path, smears: list[Path], tmp_path: Path) -> None:
    """Each damaged file is named, each good one among them answered, and nothing is raised."""
    rng = random.Random(0)
    originals = [p.read_bytes() for p in smears]
    jpeg = io.BytesIO()
    Image.open(smears[0]).save(jpeg, "JPEG")
    paths: list[Path] = []
    good: set[str] = set()
    kinds = ("cut", "flipped", "zeros", "noise", "bomb", "empty", "mislabelled")
    for i in range(2000):
        kind = kinds[i % len(kinds)]
        path = tmp_path / f"{i:04d}-{kind}.png"
        path.write_bytes(
            jpeg.getvalue() if kind == "mislabelled" else damaged(kind, rng.choice(originals), rng)
        )
        paths.append(path)
        if i % 100 == 50:
            fine = tmp_path / f"{i:04d}-good.png"
            fine.write_bytes(rng.choice(originals))
            paths.append(fine)
            good.add(str(fine))
    found = predict(bundle, paths)
    assert {p.path for p in found.predictions} == good
    assert [f.path for f in found.failed] == [str(p) for p in paths if str(p) not in good]
    for failure in found.failed:
        assert Path(failure.path).name in failure.error


def test_exit_code_and_document(
    bundle: Path, smears: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff")
    code = main(["predict", str(bundle), str(smears[0]), str(bad), str(smears[1]), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 3
    assert [p["path"] for p in document["predictions"]] == [str(smears[0]), str(smears[1])]
    assert document["failed"][0]["path"] == str(bad)
    first = document["predictions"][0]
    assert {"path", "label", "probabilities", "suspicion", "set", "verdict", "reasons"} <= set(first)
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert first["verdict"] in ("answer", "refer")


def test_an_interruption_loses_no_answer(
    bundle: Path, smears: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from allsight.data.images import read_image

    def read(path: Path) -> NDArray[np.uint8]:
        if path == smears[2]:
            raise KeyboardInterrupt
        return read_image(path)

    monkeypatch.setattr("allsight.verbs.predict.read_image", read)
    assert main(["predict", str(bundle), *map(str, smears[:3]), "--batch", "1"]) == 130
    assert capsys.readouterr().out.startswith(str(smears[0]))


def test_order_and_batches_do_not_change_answers(bundle: Path, smears: list[Path], tmp_path: Path) -> None:
    """Shapes are mixed, so that batches are cut at every change."""
    paths = []
    for i, smear in enumerate(smears):
        path = tmp_path / f"{i}.png"
        with Image.open(smear) as image:
            image.resize((64 + 16 * (i % 3), 64)).save(path)
        paths.append(path)
    together = predict(bundle, paths, batch=4)
    for path, answer in zip(paths, together.predictions, strict=True):
        alone = predict(bundle, [path]).predictions[0]
        assert alone.path == answer.path
        np.testing.assert_allclose(
            list(alone.judgement.probabilities.values()),
            list(answer.judgement.probabilities.values()),
            atol=1e-5,
        )


def test_a_folder_is_taken_as_its_images(bundle: Path, smears: list[Path]) -> None:
    found = predict(bundle, [smears[0].parent])
    assert {p.path for p in found.predictions} == {str(p) for p in smears[0].parent.glob("*.png")}


def test_a_missing_file_is_one_failure(bundle: Path, smears: list[Path]) -> None:
    found = predict(bundle, ["nowhere.png", smears[0]])
    assert [type(f) for f in found.failed] == [Failure]
    assert len(found.predictions) == 1


def test_a_folder_that_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(tmp_path), "x.png", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "BundleError"


def test_trained_and_asked_agree(bundle: Path, tmp_path: Path) -> None:
    """What training saw as files gives the same answer as what evaluation read from the generator."""
    from allsight.data.source import open_dataset

    dataset = open_dataset(DATA)
    path = tmp_path / "one.png"
    Image.fromarray(dataset.read(dataset.samples[0])).save(path)
    assert predict(bundle, [path]).predictions[0].judgement.label in dataset.classes
