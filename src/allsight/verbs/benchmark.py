"""`benchmark`: how fast networks are in each runtime and precision, measured in turns in one process."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core import catalog
from allsight.core.contracts import Runtime
from allsight.core.errors import UsageError
from allsight.core.files import check_writable, write_json, write_text
from allsight.core.progress import Progress, silent
from allsight.core.provenance import LIBRARIES, commit, machine, versions
from allsight.evaluate.speed import ROUNDS, Row, Spread, in_turns
from allsight.inference.choice import open_runtime
from allsight.inference.precision import FP32, INT8, PRECISIONS
from allsight.models.bundle import read_config
from allsight.report.speed import speed_page
from allsight.verbs.timed_graphs import ALL, PLAIN, Graph, generated, subjects_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

PAPER = ("efficientnet_b7", "vgg19", "inception_resnet_v2", "resnet50", "densenet121", "alexnet")
_LIBRARIES = (*LIBRARIES, "openvino", "onnxruntime", "nncf", "onnx")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What was measured.

    Attributes:
        machine: processor, cores and system.
        threads: how many every graph could use.
        rounds: how often each was timed.
        rows: one for each graph, batch size and choice of outputs.
        provenance: versions and commit.
    """

    machine: str
    threads: int
    rounds: int
    rows: tuple[Row, ...]
    provenance: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The document of `benchmark --json`."""
        return {
            "machine": self.machine,
            "threads": self.threads,
            "rounds": self.rounds,
            "rows": [row.to_json() for row in self.rows],
            "provenance": self.provenance,
        }


def benchmark(
    *,
    backbones: Sequence[str] = PAPER,
    bundles: Sequence[str | Path] = (),
    runtimes: Sequence[str] = ("pytorch", "onnx", "openvino"),
    precisions: Sequence[str] = (FP32, INT8),
    batches: Sequence[int] = (1,),
    size: int = 224,
    outputs: Sequence[str] = (ALL,),
    threads: int = 1,
    rounds: int = ROUNDS,
    memory: bool = True,
    out: str | Path | None = None,
    command: str = "",
    progress: Progress = silent,
) -> Benchmark:
    """Time every network in every runtime and precision it can be had in.

    Networks of the catalog are made with random weights, which are as fast as any, exported and kept in the cache.

    Args:
        backbones: networks of the catalog.
        bundles: trained models, with the graphs they were exported to.
        runtimes: of "pytorch", "onnx" and "openvino".
        precisions: of "fp32" and "int8"; int8 is OpenVINO's only.
        batches: images a call.
        size: side of the networks' input in pixels; bundles have their own.
        outputs: "all"; or "plain", without class activation maps, to see what those cost.
        threads: how many every graph may use.
        rounds: how often each is timed.
        memory: also measure peak memory, in a process of its own for each graph.
        out: folder for benchmark.json, speed.md and speed.svg.
        command: what made it, for the page.
        progress: told how far it is.

    Raises:
        UsageError: no such runtime, precision or choice of outputs, or nothing to measure.
        UnknownNameError: no such network.
        MissingDependencyError: a runtime's library is not installed.

    >>> found = benchmark(backbones=["tiny"], runtimes=["pytorch"], size=64, rounds=2, memory=False)
    >>> [(row.runtime, row.precision, row.top1_agreement) for row in found.rows]
    [('pytorch', 'fp32', 1.0)]
    """
    _check(runtimes, precisions, outputs)
    subjects = subjects_of(backbones, bundles, size=size, outputs=outputs)
    graphs = [
        Graph(subject, runtime, precision)
        for subject in subjects
        for runtime in runtimes
        for precision in precisions
        if precision == FP32 or runtime == "openvino"
    ]
    for done, graph in enumerate(graphs, start=1):
        graph.make()
        progress("graphs", done, len(graphs))
    graphs = [
        g for g in graphs if g.precision in catalog.load(Runtime, g.runtime).precisions(g.subject.folder)
    ]
    if not graphs:
        raise UsageError("There is nothing to measure.", hint="Name networks, or bundles that were exported.")
    if out is not None:
        check_writable(Path(out))
    rows = _measured(
        graphs, batches=batches, threads=threads, rounds=rounds, memory=memory, progress=progress
    )
    found = Benchmark(
        machine(), threads, rounds, tuple(rows), {"versions": dict(versions(_LIBRARIES)), "commit": commit()}
    )
    if out is not None:
        folder = Path(out)
        write_json(folder / "benchmark.json", found.to_json())
        page, plot = speed_page(
            found.rows, machine=found.machine, threads=threads, rounds=rounds, command=command
        )
        write_text(folder / "speed.svg", plot)
        write_text(folder / "speed.md", page)
    return found


def _check(runtimes: Sequence[str], precisions: Sequence[str], outputs: Sequence[str]) -> None:
    for runtime in runtimes:
        catalog.load(Runtime, runtime)
    for what, given, known in (("precision", precisions, PRECISIONS), ("outputs", outputs, (ALL, PLAIN))):
        if unknown := sorted(set(given) - set(known)):
            raise UsageError(f"There is no {what} called {unknown[0]!r}.", hint=f"Known: {', '.join(known)}.")


def _measured(
    graphs: Sequence[Graph],
    *,
    batches: Sequence[int],
    threads: int,
    rounds: int,
    memory: bool,
    progress: Progress,
) -> list[Row]:
    """Times are taken first and with everything open; memory afterwards."""
    opened = {
        g.name: open_runtime(
            g.subject.folder, runtime=g.runtime, precision=g.precision, threads=threads
        ).runtime
        for g in graphs
    }
    shown = {g.subject.size: generated(g.subject.size) for g in graphs}
    calls: dict[str, Callable[[], object]] = {}
    for g in graphs:
        for batch in batches:
            images = np.resize(shown[g.subject.size], (batch, *shown[g.subject.size].shape[1:]))
            calls[f"{g.name} {batch}"] = _call(opened[g.name], images)
    times = in_turns(calls, rounds=rounds, progress=progress)
    answers = {g.name: _named(opened[g.name], shown[g.subject.size]) for g in graphs}
    references = {
        g.subject.folder: _named(
            open_runtime(g.subject.folder, runtime="pytorch").runtime, shown[g.subject.size]
        )
        for g in graphs
    }
    opened.clear()
    rows = []
    for done, g in enumerate(graphs, start=1):
        for batch in batches:
            wall, cpu = times[f"{g.name} {batch}"]
            rows.append(
                Row(
                    backbone=g.subject.name,
                    runtime=g.runtime,
                    precision=g.precision,
                    batch=batch,
                    size=g.subject.size,
                    outputs=g.subject.outputs,
                    wall_ms=Spread.of([v / batch for v in wall]),
                    cpu_ms=Spread.of([v / batch for v in cpu]),
                    peak_mb=_peak(g, batch=batch, threads=threads) if memory else None,
                    top1_agreement=float((answers[g.name] == references[g.subject.folder]).mean()),
                )
            )
        progress("memory", done, len(graphs))
    return rows


def _call(runtime: Runtime, images: NDArray[np.uint8]) -> Callable[[], object]:
    return lambda: runtime.run(images)


def _named(runtime: Runtime, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.concatenate([runtime.run(image[None]).logits.argmax(axis=1) for image in images])


def _peak(graph: Graph, *, batch: int, threads: int) -> float:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(
            _peak_here, str(graph.subject.folder), graph.runtime, graph.precision, batch, threads
        ).result()


def _peak_here(folder: str, runtime: str, precision: str, batch: int, threads: int) -> float:
    """Largest resident memory of this process after a few calls, in MB."""
    served = open_runtime(Path(folder), runtime=runtime, precision=precision, threads=threads)
    size = read_config(Path(folder)).preprocessing.size
    images = np.full((batch, size, size, 3), 200, np.uint8)
    for _ in range(3):
        served.runtime.run(images)
    try:  # what getrusage tells is handed down from the parent process
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return float(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
