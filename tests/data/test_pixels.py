"""What stored values mean, judged by OpenCV, by Pillow and by cases solved by hand."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from allsight.data.images import decode_image
from tests.data.encoded import HEIGHT, RGB, WIDTH, by_opencv, encoded, handmade_tiff, picture, refusal


@pytest.mark.parametrize(
    ("form", "mode"),
    [
        *(("PNG", mode) for mode in ("RGB", "L", "P", "1", "RGBA", "LA")),
        *(("TIFF", mode) for mode in ("RGB", "L", "P", "1", "RGBA", "LA", "CMYK")),
        *(("BMP", mode) for mode in ("RGB", "L", "P", "1", "RGBA")),
    ],
)
def test_lossless_formats_give_the_stored_pixels(form: str, mode: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    pixels = decode_image(encoded(image, form), name="smear")
    np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions_give_the_stored_pixels(compression: str) -> None:
    data = encoded(Image.fromarray(RGB), "TIFF", compression=compression)
    np.testing.assert_array_equal(decode_image(data, name="smear.tif"), RGB)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_equals_pillow(mode: str, progressive: bool, subsampling: int) -> None:
    options = {"progressive": progressive, **({"subsampling": subsampling} if mode == "RGB" else {})}
    data = encoded(Image.fromarray(RGB).convert(mode), "JPEG", quality=90, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode_image(data, name="smear.jpeg"), expected)


def test_cmyk_jpeg_is_within_one_level_of_pillow() -> None:
    data = encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert np.abs(decode_image(data, name="smear.jpg") - expected).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("extension", "options"), [(".png", ()), *((".tif", (259, n)) for n in (1, 5, 8))])
def test_sixteen_bits_are_divided_by_257(channels: int, extension: str, options: tuple[int, ...]) -> None:
    values = picture(channels, np.uint16)
    pixels = decode_image(by_opencv(values, extension, *options), name=f"smear{extension}")
    expected = np.round(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, pixels.shape))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_tiff_in_both_byte_orders(order: str, channels: int) -> None:
    values = picture(channels, np.uint16)
    tags = {258: (16,) * channels, 262: (1 if channels == 1 else 2,), 277: (channels,)}
    data = handmade_tiff(order, tags, values.astype(f"{order}u2").tobytes())
    pixels = decode_image(data, name="smear.tif")
    np.testing.assert_array_equal(
        pixels, np.broadcast_to(np.round(values / 257).astype(np.uint8), pixels.shape)
    )


def test_a_dark_sixteen_bit_image_stays_dark() -> None:
    dark = np.full((HEIGHT, WIDTH, 1), 40 * 257, np.uint16)
    assert (decode_image(by_opencv(dark, ".png"), name="smear.png") == 40).all()


def test_twelve_bits_are_scaled_by_their_own_range() -> None:
    # Two 12-bit values are three bytes: 0xFFF and 0x000, then 0x800 and 0x800.
    row = bytes.fromhex("fff000 800800")
    data = handmade_tiff("<", {256: (4,), 257: (1,), 258: (12,), 262: (1,), 277: (1,)}, row)
    assert decode_image(data, name="smear.tif")[0, :, 0].tolist() == [255, 0, 128, 128]


@pytest.mark.parametrize("bits", [8, 16])
def test_white_is_zero_is_turned_round(bits: int) -> None:
    values = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 256
    stored = (255 - values) * (257 if bits == 16 else 1)
    data = handmade_tiff("<", {258: (bits,), 262: (0,), 277: (1,)}, stored.astype(f"<u{bits // 8}").tobytes())
    np.testing.assert_array_equal(decode_image(data, name="smear.tif")[:, :, 1], values)


def test_what_is_transparent_lies_on_white() -> None:
    layer = np.array([[[200, 0, 100, 0], [200, 0, 100, 255], [0, 0, 0, 51]]], np.uint8)
    expected = [[255, 255, 255], [200, 0, 100], [204, 204, 204]]  # 255 · (1 − 51/255) = 204
    for form in ("PNG", "TIFF"):
        assert decode_image(encoded(Image.fromarray(layer), form), name="smear")[0].tolist() == expected
    wide = by_opencv(layer.astype(np.uint16) * 257, ".png")
    assert decode_image(wide, name="smear.png")[0].tolist() == expected


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_colour_that_stands_for_nothing_is_white(kind: type[np.uint8], channels: int) -> None:
    values = np.full((1, 2, channels), 7, kind)
    values[0, 1] = 7 * (257 if kind == np.uint16 else 1) + 3
    data = by_opencv(values, ".png")
    chunk = b"tRNS" + struct.pack(f">{channels}H", *[7] * channels)
    at = data.index(b"IDAT") - 4
    crc = struct.pack(">I", zlib.crc32(chunk))
    data = data[:at] + struct.pack(">I", len(chunk) - 4) + chunk + crc + data[at:]
    pixels = decode_image(data, name="smear.png")
    assert pixels[0, 0].tolist() == [255] * 3
    assert pixels[0, 1].tolist() == [7 if kind == np.uint16 else 10] * 3


def test_a_palette_with_a_transparent_entry() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    pixels = decode_image(encoded(image, "PNG", transparency=0), name="smear.png")
    assert pixels[0].tolist() == [[255, 255, 255], [40, 50, 60]]


@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_exif_orientation_equals_pillow(orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(RGB), form, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    pixels = decode_image(data, name="smear")
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.flags.c_contiguous


# What has no meaning, or one that Pillow misreads


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_values_without_an_eight_bit_meaning_are_refused(kind: type[np.float32]) -> None:
    data = encoded(Image.fromarray(np.ones((HEIGHT, WIDTH), kind)), "TIFF")
    assert "no defined 8-bit colour" in refusal(data)


def test_sixteen_bit_planes_are_refused_because_pillow_misreads_them() -> None:
    planes = np.moveaxis(picture(3, np.uint16), 2, 0)
    size = planes[0].nbytes
    tags = {
        258: (16,) * 3,
        262: (2,),
        277: (3,),
        284: (2,),
        273: (8, 8 + size, 8 + 2 * size),
        279: (size,) * 3,
    }
    assert "interleaved" in refusal(handmade_tiff("<", tags, planes.tobytes()))


def test_eight_bit_planes_are_read() -> None:
    planes = np.moveaxis(RGB, 2, 0)
    size = planes[0].size
    tags = {
        258: (8,) * 3,
        262: (2,),
        277: (3,),
        284: (2,),
        273: (8, 8 + size, 8 + 2 * size),
        279: (size,) * 3,
    }
    np.testing.assert_array_equal(decode_image(handmade_tiff("<", tags, planes.tobytes()), name="smear"), RGB)


def test_rows_that_are_nowhere_are_not_read_as_black() -> None:
    half = RGB[: HEIGHT // 2]
    tags = {258: (8,) * 3, 262: (2,), 277: (3,), 278: (HEIGHT // 2,)}
    assert "all of its rows" in refusal(handmade_tiff("<", tags, half.tobytes()))


def test_a_wholly_transparent_image_is_refused() -> None:
    layer = np.dstack([RGB, np.zeros((HEIGHT, WIDTH), np.uint8)])
    assert "transparent" in refusal(encoded(Image.fromarray(layer), "PNG"))
