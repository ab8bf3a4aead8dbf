"""Fixtures for every test: a cache of its own, and the real images where a machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or fills the user's cache."""
    os.environ["ALLSIGHT_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with `taleqani/`, `c_nmc_sample/` and others; the test is skipped where there is none."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ALLSIGHT_REAL_DATA", default))
    if not (folder / "taleqani").is_dir():
        pytest.skip(f"no real images at {folder}; set ALLSIGHT_REAL_DATA to run this test")
    return folder
