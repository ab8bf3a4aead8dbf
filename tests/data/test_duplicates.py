"""Repeats are found on slides whose overlaps are known, and on real fields that a person has looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allsight.core.records import Box
from allsight.data.duplicates import connected, exact_duplicates, find_overlaps, match_against
from allsight.data.hashing import content_hashes
from allsight.data.source import open_dataset
from tests.data.drawn import SIDE, Drawn, field, slide

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.data.duplicates import Overlap


def moved(overlap: Overlap, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the first image lies in the second."""
    (a, b, c), (d, e, f) = overlap.movement
    return a * x + b * y + c, d * x + e * y + f


def turned(image: NDArray[np.uint8], degrees: float, scale: float) -> NDArray[np.uint8]:
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, scale)
    return np.asarray(
        cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )


def test_byte_identical_images_are_grouped_and_others_are_not() -> None:
    assert exact_duplicates({"d": "1", "a": "1", "b": "2", "c": "3", "e": "3"}) == (("a", "d"), ("c", "e"))
    assert exact_duplicates({}) == ()


@settings(deadline=None)  # the first call imports SciPy
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=12))
def test_connected_names_are_those_that_a_walk_reaches(pairs: list[tuple[str, str]]) -> None:
    reached = {name: {name} for pair in pairs for name in pair}
    for _ in pairs:
        for a, b in pairs:
            reached[a] |= reached[b]
            reached[b] |= reached[a]
    assert set(connected(pairs)) == {tuple(sorted(names)) for names in reached.values()}


def test_shifted_fields_overlap_by_the_known_shift_and_other_slides_do_not() -> None:
    images = {"a": field(1), "b": field(1, left=160, top=70), "c": field(2), "d": field(3)}
    found = find_overlaps(Drawn(images), Drawn(images).hashes)
    assert found.groups == (("a", "b"),)
    (pair,) = found.pairs
    assert moved(pair, 100, 100) == pytest.approx((40, 130), abs=1)
    assert pair.likeness > 0.9


def test_turned_scaled_mirrored_and_exposed_anew_are_still_the_same_field() -> None:
    original = field(4)
    dark = np.clip(original * 0.8 + 12, 0, 255).astype(np.uint8)
    images = {
        "original": original,
        "turned": turned(original, 35, 1.15),
        "mirrored": np.ascontiguousarray(original[:, ::-1]),
        "dark": dark,
        "other": field(5),
    }
    found = find_overlaps(Drawn(images), Drawn(images).hashes)
    assert found.groups == (("dark", "mirrored", "original", "turned"),)
    mirror = next(p for p in found.pairs if (p.a, p.b) == ("mirrored", "original"))
    assert moved(mirror, 10, 50) == pytest.approx((SIDE - 1 - 10, 50), abs=1)


def test_a_group_may_hold_images_that_do_not_overlap_themselves() -> None:
    images = {"a": field(6, left=0), "b": field(6, left=130), "c": field(6, left=260)}
    found = find_overlaps(Drawn(images), Drawn(images).hashes)
    assert [(p.a, p.b) for p in found.pairs] == [("a", "b"), ("b", "c")]
    assert found.groups == (("a", "b", "c"),)


@pytest.mark.parametrize("overlay", [None, Box(1 - 64 / SIDE, 1 - 64 / SIDE, 1, 1)])
def test_the_same_large_scale_bar_does_not_make_two_fields_one(overlay: Box | None) -> None:
    """Masked it gives no keypoints; unmasked it does, but what lies beside it does not look alike."""
    images = {name: field(seed) for name, seed in (("a", 8), ("b", 9))}
    for image in images.values():
        image[-64:, -64:] = slide(7)[:64, :64]
    data = Drawn(images, overlay=overlay)
    assert find_overlaps(data, data.hashes).groups == ()


def test_identical_blank_and_damaged_images_are_all_accounted_for() -> None:
    blank = np.full((SIDE, SIDE, 3), 200, np.uint8)
    images = {
        "a": field(10),
        "b": field(10),
        "c": blank,
        "d": blank + 1,
        "e": None,
        "f": None,
        "g": field(11),
    }
    data = Drawn(images)
    found = find_overlaps(data, data.hashes)
    assert found.groups == (("a", "b"),)
    assert np.array_equal(found.pairs[0].movement, [[1, 0, 0], [0, 1, 0]])
    assert set(found.unreadable) == {"e", "f"}


def test_no_image_and_one_image_overlap_nothing() -> None:
    assert find_overlaps(Drawn({}), {}).groups == ()
    one = Drawn({"a": field(12)})
    assert find_overlaps(one, one.hashes).pairs == ()


def test_the_second_time_nothing_is_read() -> None:
    images = {"a": field(13), "b": field(13, left=140)}
    first, again = Drawn(images), Drawn(images)
    found = find_overlaps(first, first.hashes)
    assert first.times_read > 0
    assert find_overlaps(again, again.hashes) == found
    assert again.times_read == 0


def test_a_changed_pixel_is_looked_at_anew() -> None:
    before = Drawn({"a": field(15), "b": field(15, left=140)})
    after = Drawn({"a": field(15), "b": field(16)})
    assert find_overlaps(before, before.hashes).groups == (("a", "b"),)
    assert find_overlaps(after, after.hashes).groups == ()


def test_progress_is_told_in_order_and_to_the_end() -> None:
    told: list[tuple[str, int, int]] = []
    data = Drawn({name: field(seed) for seed, name in enumerate("abc", start=20)})
    find_overlaps(data, data.hashes, progress=lambda *said: told.append(said))
    assert ("finding keypoints", 3, 3) in told
    assert all(0 < done <= total for _, done, total in told)


def test_a_sheared_mirrored_enlarged_copy_finds_its_original() -> None:
    originals = {str(seed): field(seed) for seed in range(30, 36)}
    shear = np.array([[1, 0.18, -10], [0.06, 0.95, 4]])
    copy = cv2.warpAffine(originals["32"][:, ::-1], shear, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    large = np.asarray(cv2.resize(copy, (440, 440), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    copies = Drawn({"copy": large, "new": field(40), "damaged": None})
    by_name = {match.image: match for match in match_against(copies, Drawn(originals))}
    assert set(by_name) == {"copy", "new"}
    assert by_name["copy"].original == "32"
    assert by_name["copy"].mirrored
    assert by_name["copy"].inliers >= 30
    assert by_name["new"].original is None


@pytest.mark.real
def test_augmented_copies_find_their_taleqani_originals(real_data: Path) -> None:
    """By eye, and by exhaustive matching of all keypoints against every image."""
    copies = open_dataset(f"multi_cancer:{real_data / 'multi_cancer_sample'}")
    taleqani = open_dataset(f"taleqani:{real_data / 'taleqani'}")
    wanted = {"Benign/WBC-Benign-032", "Early/WBC-Malignant-Early-225", "Pre/WBC-Malignant-Pre-138"}
    wanted |= {"Pro/WBC-Malignant-Pro-097"}
    near = {stem[-3:] for stem in wanted} | {"031", "033", "226", "139", "099", "300"}
    some = Drawn(
        {s.name: taleqani.read(s) for s in taleqani.samples if s.number and f"{s.number:03d}" in near}
    )
    found = {str(match.original) for match in match_against(copies, some)}
    assert found == {f"Original/{stem}.jpg" for stem in wanted}


@pytest.mark.real
def test_repeats_in_a_stretch_of_taleqani_are_those_seen_by_eye(real_data: Path) -> None:
    taleqani = open_dataset(f"taleqani:{real_data / 'taleqani'}")
    hashes = content_hashes(taleqani)
    chosen = [
        s for s in taleqani.samples if s.label == "Pro" and s.number in {97, 98, 122, 123, 125, 599, 600}
    ]
    other = [s for s in taleqani.samples if s.label == "Pre" and s.number in {225, 227, 522, 523}]
    some = Drawn({s.name: taleqani.read(s) for s in chosen + other}, overlay=taleqani.overlay)
    found = find_overlaps(some, {s.name: hashes[s.name] for s in chosen + other})
    numbers = [[name[-7:-4] for name in group] for group in found.groups]
    assert numbers == [["225", "227"], ["522", "523"], ["097", "098"], ["122", "123", "125"], ["599", "600"]]
