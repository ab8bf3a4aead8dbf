"""Small encoded images for the tests of this folder: by Pillow, by OpenCV and, where neither writes it, by hand."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
import pytest

from allsight.core.errors import ImageError
from allsight.data.images import decode_image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

HEIGHT, WIDTH = 23, 31
Depth = TypeVar("Depth", np.uint8, np.uint16)


def picture(channels: int, kind: type[Depth]) -> NDArray[Depth]:
    """Smooth colour with some noise, reaching both ends of the range; (H, W, channels)."""
    rng = np.random.default_rng(7)
    full = np.iinfo(kind).max
    smooth = cv2.resize(rng.random((4, 5, channels)), (WIDTH, HEIGHT)).reshape(HEIGHT, WIDTH, channels)
    values = (np.clip(smooth + rng.normal(0, 0.05, smooth.shape), 0, 1) * full).astype(kind)
    values[0, 0], values[0, 1] = 0, full
    return values


RGB = picture(3, np.uint8)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """The file that Pillow writes."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def by_opencv(values: NDArray[Depth], extension: str, *options: int) -> bytes:
    """The file that OpenCV writes of grey, RGB or RGBA values (H, W, channels)."""
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[values.shape[2]]
    done, data = cv2.imencode(extension, np.ascontiguousarray(values[:, :, order]), options)
    assert done
    return data.tobytes()


def handmade_tiff(order: str, tags: dict[int, tuple[int, ...]], data: bytes) -> bytes:
    """A TIFF by hand: header, pixel data at offset 8, values that fill no entry, then one directory."""
    tags = {256: (WIDTH,), 257: (HEIGHT,), 259: (1,), 273: (8,), 278: (HEIGHT,), 279: (len(data),)} | tags
    body, entries = bytearray(data), []
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            packed, at = struct.pack(f"{order}I", 8 + len(body)), packed
            body += at
        entries.append(struct.pack(f"{order}HHI", tag, 4, len(values)) + packed)
    start = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(body))
    return start + body + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)


def refusal(data: bytes, name: str = "smear") -> str:
    """The error that decoding must end in, which names the file."""
    with pytest.raises(ImageError) as caught:
        decode_image(data, name=name)
    assert caught.value.message.startswith(f"{name}: ")
    return str(caught.value)
