"""Files to arrays or to one error that names the file; and no bytes at all may raise anything else."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from allsight.core.errors import ImageError, UsageError
from allsight.data.images import IMAGE_EXTENSIONS, MAX_PIXELS, decode_image, image_paths, read_image
from tests.data.encoded import HEIGHT, RGB, WIDTH, by_opencv, encoded, handmade_tiff, picture, refusal

# Pytest takes down the filters that `images` puts up; a test below holds them in a process of its own.
quiet = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


# What it refuses, naming the file


def _bombs() -> dict[str, bytes]:
    """Files of a few bytes that promise 30,000 × 30,000 pixels or more, in the header alone."""
    side = 30_000
    image = Image.fromarray(RGB)
    png = bytearray(encoded(image, "PNG"))
    png[16:24] = struct.pack(">II", side, side)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    bmp = bytearray(encoded(image, "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    jpeg = bytearray(encoded(image, "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    grey: dict[int, tuple[int, ...]] = {258: (8,), 262: (1,), 277: (1,)}
    tiff = handmade_tiff("<", grey | {256: (side,), 257: (side,)}, bytes(9))
    tile = handmade_tiff("<", grey | {322: (side,), 323: (side,), 324: (8,), 325: (9,)}, bytes(9))
    return {"a.png": bytes(png), "a.bmp": bytes(bmp), "a.jpg": bytes(jpeg), "a.tif": tiff, "tile.tif": tile}


@pytest.mark.parametrize("name", sorted(_bombs()))
def test_a_bomb_is_known_by_its_header(name: str) -> None:
    assert f"{MAX_PIXELS:,}" in refusal(_bombs()[name], name)


def test_the_limit_is_ours_and_not_pillows() -> None:
    # Pillow warns above 89.5 megapixels; one bit a pixel keeps the file small.
    data = encoded(Image.new("1", (9_990, 10_000), 1), "PNG")
    assert decode_image(data, name="smear.png").shape == (10_000, 9_990, 3)


@quiet
@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "TIFF"])
def test_every_cut_is_seen(form: str) -> None:
    data = encoded(Image.fromarray(RGB), form)
    # At the end lie the checksum of an empty chunk (PNG) and three bytes of padding (BMP): no pixel is lost.
    end = len(data) - {"PNG": 4, "BMP": 3}.get(form, 0)
    for length in {*range(1, end, 7), *range(end - 20, end)}:
        refusal(data[:length])


def test_a_checksum_that_does_not_fit_is_seen() -> None:
    data = bytearray(encoded(Image.fromarray(RGB), "PNG"))
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    data[at + 4 + length] ^= 1  # the pixels themselves are whole
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), RGB)
    assert "damaged or cut off" in refusal(bytes(data))


def test_damage_inside_jpeg_data_is_seen_where_pillow_is_silent() -> None:
    data = encoded(Image.fromarray(RGB), "JPEG", quality=95)
    begin = data.index(b"\xff\xda") + 14
    only_we, only_pillow = 0, 0
    for at in range(begin, len(data) - 2, 3):
        broken = bytearray(data)
        broken[at] ^= 0x10
        try:
            Image.open(io.BytesIO(bytes(broken))).load()
            pillow = False
        except OSError:
            pillow = True
        try:
            decode_image(bytes(broken), name="smear")
            ours = False
        except ImageError:
            ours = True
        only_we, only_pillow = only_we + (ours and not pillow), only_pillow + (pillow and not ours)
    assert only_pillow == 0
    assert only_we > 20


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty file"),
        (bytes(5000), "unknown format (first bytes 00 00 00 00 00 00 00 00)"),
        (b"GIF89a" + bytes(50), "a GIF image"),
        (b"\x89PNG\r\n\x1a\n", "damaged or cut off"),
        (bytes(128) + b"DICM" + bytes(50), "a DICOM file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "git lfs pull"),
        (b"<html></html>", "text file"),
    ],
)
def test_what_is_no_image_is_called_what_it_is(data: bytes, said: str) -> None:
    assert said in refusal(data)


def test_a_wrong_extension_is_named_with_both_formats() -> None:
    data = encoded(Image.fromarray(RGB), "PNG")
    message = refusal(data, "ward 3/smear.JPG")
    assert ".jpg" in message
    assert "PNG" in message
    assert decode_image(data, name="smear").shape == (HEIGHT, WIDTH, 3)
    assert decode_image(data, name="smear.upload").shape == (HEIGHT, WIDTH, 3)


def test_pages_are_refused() -> None:
    pages = [Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())]
    for form in ("TIFF", "PNG"):
        data = encoded(pages[0], form, save_all=True, append_images=pages[1:])
        assert "several" in refusal(data)


# Files and folders


def test_a_path_that_cannot_be_read_is_an_image_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, said in (
        (tmp_path / "gone.jpg", "no such file"),
        (tmp_path / "empty", "folder that holds none"),
    ):
        with pytest.raises(ImageError, match=said) as caught:
            read_image(path)
        assert str(path) in str(caught.value)
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(tmp_path / "nul\0.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="pipe or device"):
        read_image(tmp_path / "pipe.jpg")


def test_read_image_equals_decode_image(tmp_path: Path) -> None:
    for form, extension in (("JPEG", ".jpg"), ("PNG", ".png"), ("BMP", ".bmp"), ("TIFF", ".tif")):
        data = encoded(Image.fromarray(RGB), form, **({"compression": "tiff_lzw"} if form == "TIFF" else {}))
        path = tmp_path / f"smear{extension}"
        path.write_bytes(data)
        np.testing.assert_array_equal(read_image(path), decode_image(data, name=path.name))


def test_image_paths_expand_folders_and_keep_what_fails(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "a/1.jpg", "a/notes.txt", "a/.hidden.jpg", "__MACOSX/3.jpg", "c.tiff"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    gone, empty = tmp_path / "gone.jpg", tmp_path / "folder.png"
    inside = [tmp_path / "a/1.jpg", tmp_path / "b/2.PNG", tmp_path / "c.tiff"]
    assert image_paths([gone, tmp_path, inside[0], empty]) == [gone, *inside, empty]
    assert image_paths([]) == []


def test_one_path_is_a_path_and_none_the_folder_where_one_is(tmp_path: Path) -> None:
    assert image_paths(str(tmp_path / "x.jpg")) == image_paths(tmp_path / "x.jpg") == [tmp_path / "x.jpg"]
    with pytest.raises(UsageError, match="A path is empty"):
        image_paths("")
    with pytest.raises(UsageError, match="A path is empty"):
        image_paths([tmp_path, ""])


# Any bytes


def _seeds() -> list[bytes]:
    """One valid file of each format and kind of decoder."""
    image = Image.fromarray(RGB)
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = picture(3, np.uint16)
    return [
        encoded(image, "JPEG", exif=exif),
        encoded(image, "JPEG", progressive=True),
        encoded(image.convert("CMYK"), "JPEG"),
        *(encoded(image.convert(mode), "PNG") for mode in ("RGB", "P", "LA")),
        *(encoded(image.convert(mode), "BMP") for mode in ("RGB", "P", "RGBA")),
        *(
            encoded(image, "TIFF", compression=how)
            for how in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg")
        ),
        encoded(image.convert("1"), "TIFF", compression="group4"),
        by_opencv(wide, ".png"),
        by_opencv(wide, ".tif", 259, 5),
        by_opencv(wide, ".tif", 259, 1),
    ]


SEEDS = _seeds()


def _holds(data: bytes) -> None:
    """An image or an `ImageError`; anything else fails the test by itself."""
    try:
        pixels = decode_image(data, name="smear")
    except ImageError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3


@quiet
@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_bytes_raise_anything_but_image_error(data: st.DataObject) -> None:
    seed = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 6))):
        # Headers and directories, where a changed byte does most, lie at either end.
        at = data.draw(st.one_of(st.integers(0, 199), st.integers(-200, -1), st.integers(0, len(seed) - 1)))
        seed[at % len(seed)] = data.draw(st.integers(0, 255))
    _holds(bytes(seed[: data.draw(st.one_of(st.just(len(seed)), st.integers(0, len(seed))))]))


@quiet
@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*"]), st.binary())
def test_no_made_up_bytes_raise_anything_but_image_error(start: bytes, rest: bytes) -> None:
    _holds(start + rest)


def test_nothing_is_written_on_standard_error() -> None:
    # A process of its own: what C libraries write passes by pytest, and warnings are filtered there.
    program = """
import random, sys
from allsight.core.errors import ImageError
from allsight.data.images import decode_image
from tests.data.test_images import SEEDS
draw = random.Random(3)
failed = 0
for _ in range(1500):
    data = bytearray(draw.choice(SEEDS))
    for _ in range(3):
        at = draw.choice((draw.randrange(len(data)), draw.randrange(150), -draw.randrange(1, 150)))
        data[at] = draw.randrange(256)
    try:
        decode_image(bytes(data), name="smear")
    except ImageError:
        failed += 1
print(failed)
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert int(done.stdout) > 500


# The real images


@pytest.mark.real
@pytest.mark.parametrize(
    "folder", ["taleqani/Original", "c_nmc_jpeg", "other_smears/bccd", "multi_cancer_sample"]
)
def test_strict_decoding_refuses_no_real_jpeg_and_changes_no_pixel(real_data: Path, folder: str) -> None:
    paths = [path for path in image_paths([real_data / folder]) if path.suffix == ".jpg"]
    assert paths
    for path in paths:
        with Image.open(path) as image:
            np.testing.assert_array_equal(
                read_image(path), np.asarray(image.convert("RGB")), err_msg=str(path)
            )


def test_extensions_are_lower_case_and_unique() -> None:
    assert len(set(IMAGE_EXTENSIONS)) == len(IMAGE_EXTENSIONS)
    assert all(extension == extension.lower() for extension in IMAGE_EXTENSIONS)
