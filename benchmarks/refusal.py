"""What a bundle refuses: images it was not trained on, other laboratories' images, and pictures that are no smears.

    python benchmarks/refusal.py BUNDLE [--data DATA] [FOLDER ...] [--json]

`--data` is the DATA that the bundle was trained on: its test part should be answered. Every FOLDER should be refused,
and so should what this script makes: photographs (those that come with scikit-image), plain colours, noise and text.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import ImageError
from allsight.data.images import image_paths, read_image
from allsight.data.source import open_dataset
from allsight.inference.predictor import Predictor
from allsight.inference.trust import DOUBTS
from allsight.models.bundle import bundle_folder, read_split
from allsight.verbs.unseen import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

SIDE = 224
PHOTOGRAPHS = (
    "astronaut",
    "camera",
    "cat",
    "chelsea",
    "coffee",
    "coins",
    "moon",
    "page",
    "text",
    "rocket",
    "horse",
)


def main() -> None:
    """Count refusals and their reasons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--data")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_intermixed_args()
    folder = bundle_folder(given.bundle)
    predictor = Predictor.open(folder, runtime=None)
    found = {}
    if given.data:
        dataset = open_dataset(given.data)
        chosen = choose(predictor.config, read_split(folder), dataset, part="test")
        found["held out"] = counted(predictor, chosen.samples, read=dataset.read)
    for place in given.folders:
        paths = image_paths([place])
        if not paths:
            parser.error(f"{place} holds no image. Name folders that do.")
        found[place.name] = counted(predictor, paths, read=read_image)
    for name, made in (
        ("photographs", photographs()),
        ("plain colours", plain()),
        ("noise", noise()),
        ("text", text()),
    ):
        found[name] = counted(predictor, made, read=lambda image: image)
    print(json.dumps(found, indent=2) if given.json else told(found))


def counted(predictor: Predictor, items: Iterable[Any], *, read: Callable[[Any], Image]) -> dict[str, object]:
    """How many are refused, and the reasons by their first words."""
    n, refused, foreign, unsure, reasons = 0, 0, 0, 0, Counter[str]()
    for _, answer in predictor.answers(items, read=read):
        if isinstance(answer, ImageError):
            continue
        judged = answer.judgement
        kinds = {reason.partition(":")[0] for reason in judged.reasons}
        doubts = {k for k in kinds if k.startswith(DOUBTS)}
        n += 1
        refused += judged.verdict == "refer"
        foreign += bool(kinds - doubts)
        unsure += bool(doubts) and kinds == doubts
        reasons.update(k if k not in doubts else "between classes" for k in kinds)
    return {
        "images": n,
        "refused": refused / n,
        "refused as foreign": foreign / n,
        "only unsure of the class": unsure / n,
        "reasons": dict(reasons.most_common()),
    }


def photographs() -> list[Image]:
    """Those that scikit-image carries in its package; the others would need a download."""
    import skimage.data

    found = []
    for name in PHOTOGRAPHS:
        try:
            image = np.asarray(getattr(skimage.data, name)())
        except Exception:  # not in the package, and no network to fetch it
            continue
        image = (image * 255).astype(np.uint8) if image.dtype == np.bool_ else image.astype(np.uint8)
        found.append(np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image[..., :3])
    return [np.ascontiguousarray(image) for image in found]


def plain() -> list[Image]:
    """One colour each: black, white, grey, pinks and random ones."""
    rng = np.random.default_rng(0)
    colours = [
        (0, 0, 0),
        (255, 255, 255),
        (128, 128, 128),
        (230, 200, 215),
        (240, 235, 240),
        *rng.integers(0, 256, (45, 3)),
    ]
    return [np.full((SIDE, SIDE, 3), colour, dtype=np.uint8) for colour in colours]


def noise() -> list[Image]:
    """Independent pixels, of all values or about a bright grey; and smooth clouds."""
    import cv2

    rng = np.random.default_rng(1)
    pixels: list[Image] = [rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(15)]
    pixels += [
        np.clip(rng.normal(200, s, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8) for s in (3, 6, 12, 25, 50)
    ]
    for sigma in (2, 4, 8, 16, 32):
        cloud = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE, 3)), (0, 0), sigma)
        pixels.append(np.clip(200 + 25 * cloud / cloud.std(), 0, 255).astype(np.uint8))
    return pixels


def text() -> list[Image]:
    """Lines of letters, dark on bright and stained."""
    import cv2

    found = []
    for i, (ink, paper) in enumerate((((0, 0, 0), (255, 255, 255)), ((90, 40, 130), (235, 225, 235))) * 5):
        image = np.full((SIDE, SIDE, 3), paper, dtype=np.uint8)
        for line in range(1, 12):
            cv2.putText(
                image,
                "acute lymphoblastic"[i:],
                (4, 19 * line),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.5 + i / 40,
                ink,
                1,
            )
        found.append(image)
    return found


def told(found: dict[str, dict[str, object]]) -> str:
    """As a table in Markdown."""
    lines = ["| images | n | refused | as foreign | only unsure | reasons |", "|---|---|---|---|---|---|"]
    for name, facts in found.items():
        shares = (
            f"{float(str(facts[k])):.1%}"
            for k in ("refused", "refused as foreign", "only unsure of the class")
        )
        reasons = facts["reasons"]
        assert isinstance(reasons, dict)
        listed = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        lines.append(f"| {name} | {facts['images']} | {' | '.join(shares)} | {listed} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
