"""Names are files; a wrong name is answered with the nearest right one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from allsight.core import catalog
from allsight.core.contracts import Backbone, Dataset, Runtime
from allsight.core.errors import UnknownNameError


def test_dashes_and_underscores_are_the_same() -> None:
    assert catalog.load(Backbone, "efficientnet-b7") is catalog.load(Backbone, "efficientnet_b7")


def test_the_paper_is_complete() -> None:
    networks = {"efficientnet_b7", "vgg19", "inception_resnet_v2", "resnet50", "densenet121", "alexnet"}
    assert networks <= set(catalog.names(Backbone))
    assert {"taleqani", "c_nmc", "multi_cancer", "image_folder", "manifest", "synthetic"} == set(
        catalog.names(Dataset)
    )
    assert "pytorch" in catalog.names(Runtime)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'taleqani'"):
        catalog.load(Dataset, "taleqany")


def test_listing_imports_no_plugin() -> None:
    code = (
        "import sys; from allsight.core import catalog; from allsight.core.contracts import Backbone;"
        "catalog.names(Backbone); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
