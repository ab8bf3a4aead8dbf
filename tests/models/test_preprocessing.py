"""Photographs are brought near the size that a network sees before anything looks at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from allsight.data.appearance import appearance
from allsight.data.images import read_image
from allsight.data.source import open_dataset
from allsight.inference.predictor import Answer, Predictor
from allsight.models.bundle import bundle_folder
from allsight.models.preprocessing import Preprocessing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.records import Outputs


@pytest.mark.parametrize(("size", "longest"), [(224, 1024), (600, 1200), (2048, 4096)])
def test_an_image_keeps_twice_what_the_network_sees(size: int, longest: int) -> None:
    preprocessing = Preprocessing(size=size)
    image = np.zeros((longest // 2, longest, 3), dtype=np.uint8)
    assert preprocessing.reduced(image) is image
    wider = np.zeros((longest // 2, 2 * longest, 3), dtype=np.uint8)
    assert preprocessing.reduced(wider).shape == (longest // 4, longest, 3)
    line = np.zeros((3, 100 * longest, 3), dtype=np.uint8)
    assert preprocessing.reduced(line).shape == (1, longest, 3)


def test_a_pixel_is_the_mean_of_those_it_stands_for() -> None:
    image = np.zeros((2048, 2048, 3), dtype=np.uint8)
    image[::2, ::2] = 200
    assert np.unique(Preprocessing(size=224).reduced(image)).tolist() == [50]


def test_a_photograph_is_answered_as_it_is_when_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields of twelve megapixels with a camera's noise: the graph is shown little of them and says the same."""
    predictor = Predictor.open(bundle_folder("builtin"), runtime="openvino", precision="fp32")
    source = open_dataset("synthetic:2?images=4&patients=4&size=640")
    rng = np.random.default_rng(0)
    files = []
    for i, sample in enumerate(source.samples):
        large = cv2.resize(source.read(sample), (4000, 3000), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(large + rng.normal(0, 8, large.shape), 0, 255).astype(np.uint8)
        files.append(tmp_path / f"{i}.jpg")
        cv2.imwrite(str(files[-1]), noisy[..., ::-1])
    run, shown = predictor.runtime.run, []

    def watched(images: NDArray[np.uint8]) -> Outputs:
        shown.append(images.shape[1:])
        return run(images)

    monkeypatch.setattr(predictor.runtime, "run", watched)
    found = [answer for _, answer in predictor.answers(files, read=read_image)]
    for file, answer in zip(files, found, strict=True):
        image = read_image(file)
        assert isinstance(answer, Answer)
        assert answer.judgement == predictor.judged(image)
        whole = run(image[None])
        small = run(predictor.config.preprocessing.reduced(image)[None])
        assert np.abs(whole.logits - small.logits).max() < 0.15
        looks = np.array([appearance(image), appearance(predictor.config.preprocessing.reduced(image))])
        assert np.allclose(looks[0], looks[1], rtol=0.05, atol=0.1)
    assert set(shown) <= {(768, 1024, 3), (1024, 768, 3)}  # the second where one was looked at again
