"""Small trained bundles for tests, and the images they were made from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from allsight.verbs.train import train

DATA = "synthetic:1?images=120&patients=24&size=128"


def trained(folder: Path, *, overwrite: bool = False) -> Path:
    """A bundle of a small pooled network: seconds on one core, features are cached."""
    train(DATA, out=folder, backbone="efficientnet-lite0", freeze=True, size=128, overwrite=overwrite)
    return folder


@contextmanager
def open_gate(*, spared: tuple[int, ...] = (0,)) -> Iterator[None]:
    """int8 graphs are kept however they answer: a model of 120 images is sure of nothing.

    Args:
        spared: how many convolutions to spare are tried.
    """
    with pytest.MonkeyPatch.context() as patch:
        for gate, open_to_all in (("LEAST_TOP1", 0.0), ("LEAST_MAPS", -1.0), ("LARGEST_LOSS", 1.0)):
            patch.setattr(f"allsight.inference.parity.{gate}", open_to_all)
        patch.setattr("allsight.inference.quantise.sparing", lambda _: list(spared))
        yield
