"""Small trained bundles for tests, and the images they were made from."""

from __future__ import annotations

from pathlib import Path

from allsight.verbs.train import train

DATA = "synthetic:1?images=120&patients=24&size=128"


def trained(folder: Path, *, overwrite: bool = False) -> Path:
    """A bundle of a small pooled network: seconds on one core, features are cached."""
    train(DATA, out=folder, backbone="efficientnet-lite0", freeze=True, size=128, overwrite=overwrite)
    return folder
