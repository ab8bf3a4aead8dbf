"""The bundle may be left out where images are given, and a mistyped one is never answered by another model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from allsight.cli.arguments import bundle_and_images
from allsight.core.errors import UsageError


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "smears").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "smears" / "a.png")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "config.json").write_text("{}")
    (tmp_path / "model.pth").write_bytes(b"")
    return tmp_path


def test_images_alone_go_to_the_model_that_ships(here: Path) -> None:
    image = here / "smears" / "a.png"
    assert bundle_and_images([str(image)]) == ("builtin", [image])
    assert bundle_and_images([str(here / "smears"), str(image)]) == ("builtin", [here / "smears", image])
    assert bundle_and_images(["missing.jpg"]) == ("builtin", [Path("missing.jpg")])


@pytest.mark.parametrize("bundle", ["bundle", "model.pth", "no-such-bundle"])
def test_anything_else_is_the_bundle(here: Path, bundle: str) -> None:
    image = here / "smears" / "a.png"
    assert bundle_and_images([str(here / bundle), str(image)]) == (str(here / bundle), [image])


def test_builtin_by_name_and_nothing_at_all() -> None:
    assert bundle_and_images(["builtin", "x"]) == ("builtin", [Path("x")])
    with pytest.raises(UsageError):
        bundle_and_images([])


def test_an_image_is_known_by_its_content_too(here: Path) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(here / "moving.gif")
    (here / "smears" / "a.png").rename(here / "nameless")
    for name in ("nameless", "moving.gif"):
        assert bundle_and_images([str(here / name)]) == ("builtin", [here / name])


def test_a_folder_of_neither_and_an_empty_path_are_named(here: Path) -> None:
    (here / "empty").mkdir()
    with pytest.raises(UsageError, match=r"is no bundle.* no image lies in it"):
        bundle_and_images([str(here / "empty")])
    with pytest.raises(UsageError, match="A path is empty"):
        bundle_and_images(["builtin", ""])
