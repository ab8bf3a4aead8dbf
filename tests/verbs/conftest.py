"""One small bundle that several tests ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from allsight.verbs.synthesize import synthesize
from allsight.verbs.train import train

DATA = "synthetic:3?images=96&patients=24&size=64"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    train(DATA, out=folder, backbone="tiny", weights="none", freeze=True)
    return folder


@pytest.fixture(scope="session")
def smears(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve generated smears as PNG files."""
    folder = tmp_path_factory.mktemp("smears") / "images"
    synthesize("5?images=12&patients=4&size=64", out=folder, masks=False)
    return sorted(folder.rglob("*.png"))
