"""`allsight train DATA --out BUNDLE`"""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allsight.cli.console import SOME_FAILED, AsJson, progress_bar, say, show

if TYPE_CHECKING:
    from allsight.models.training.settings import FineTuning
    from allsight.verbs.train import Trained


def train(
    data: Annotated[
        str, typer.Argument(help="taleqani:PATH, c_nmc:PATH, image_folder:PATH, manifest:CSV, synthetic:SEED")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    backbone: Annotated[
        str | None, typer.Option(help="Network, such as efficientnet-b7. [efficientnet-lite0]")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="imagenet, packaged, none, a bundle (a smaller EfficientNet is grown) or a .safetensors file."
        ),
    ] = None,
    freeze: Annotated[
        bool | None, typer.Option("--freeze/--no-freeze", help="Fit only the head, on cached features.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="patient, field, random or stated. [the most honest there is]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the split and the training. [0]")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="The test part is one of so many. [5]")] = None,
    fold: Annotated[int | None, typer.Option(min=0, help="Which one. [0]")] = None,
    hold_out: Annotated[
        str | None, typer.Option(help="The source's own parts as test, such as prelim_test.")
    ] = None,
    whole: Annotated[
        bool | None, typer.Option("--whole/--no-whole", help="No test part: for a model that is to be used.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=8, help="Side of the network's input. [as published]")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Bundle whose soft answers are learned from, too.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training images. [10]")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Images a step. [32]")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Its peak. [0.001]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a killed training stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="Longest time between two checkpoints.")
    ] = 30.0,
    config: Annotated[
        Path | None, typer.Option(help="JSON as --print-config prints it; options win.")
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print all settings and stop.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Train a classifier and write it as a bundle."""
    given: dict[str, Any] = {
        "backbone": backbone,
        "weights": weights,
        "freeze": freeze,
        "split": split,
        "seed": seed,
        "folds": folds,
        "fold": fold,
        "hold_out": hold_out.split(",") if hold_out else None,
        "whole": whole,
        "size": size,
        "teacher": teacher,
    }
    tuning = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    settings = _settings(config, given, tuning)
    if print_config:
        print(json_format.dumps(settings, indent=2))
        return
    from allsight.models.training.settings import FineTuning
    from allsight.verbs.train import train as fit

    fine_tuning = FineTuning.model_validate(settings.pop("settings"))
    with progress_bar() as progress:
        trained = fit(
            data,
            out=out,
            resume=resume,
            overwrite=overwrite,
            settings=fine_tuning,
            checkpoint_seconds=checkpoint_seconds,
            progress=progress,
            **settings,
        )
    show(trained.to_json(), _summary(trained), as_json=json)
    for name, reason in trained.excluded.items():
        say(f"left out: {name}: {reason}")
    if any(reason.startswith("unreadable") for reason in trained.excluded.values()):
        raise typer.Exit(SOME_FAILED)


def settings_of(config: Path | None) -> FineTuning:
    """The settings of the fine-tuning alone: the defaults, and over them what the file says."""
    from allsight.models.training.settings import FineTuning

    return FineTuning.model_validate(_settings(config, {}, {})["settings"])


def _settings(config: Path | None, given: dict[str, Any], tuning: dict[str, Any]) -> dict[str, Any]:
    """Defaults, then the file, then what was typed."""
    from pydantic import ValidationError

    from allsight.core.errors import UsageError
    from allsight.models.training.settings import FineTuning

    settings: dict[str, Any] = {
        "backbone": "efficientnet-lite0",
        "weights": None,
        "freeze": False,
        "split": None,
        "seed": 0,
        "folds": 5,
        "fold": 0,
        "hold_out": [],
        "whole": False,
        "size": None,
        "teacher": None,
        "settings": FineTuning().model_dump(mode="json"),
    }
    if config is not None:
        try:
            from_file = json_format.loads(config.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"--config {config} is not a readable JSON file: {error}.") from error
        unknown = (
            sorted(set(from_file) - set(settings)) if isinstance(from_file, dict) else ["(not an object)"]
        )
        if unknown:
            raise UsageError(
                f"--config has settings nobody knows: {unknown}.", hint=f"Known: {sorted(settings)}."
            )
        settings |= from_file
    settings |= {k: v for k, v in given.items() if v is not None}
    settings["settings"] = {**settings["settings"], **{k: v for k, v in tuning.items() if v is not None}}
    try:
        FineTuning.model_validate(settings["settings"])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"settings.{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    return settings


def _summary(trained: Trained) -> str:
    protocol, source = trained.config.protocol, trained.config.data.source
    verb = "evaluate" if protocol.n_images.get("test") else "export"
    parts = ", ".join(f"{part} {n}" for part, n in protocol.n_images.items())
    lines = [
        f"{trained.bundle}: {trained.config.backbone} on {source}, split by {protocol.split} ({parts})",
        f"next: allsight {verb} {trained.bundle} {source if verb == 'evaluate' else '--to openvino --int8'}",
        *trained.notes,
    ]
    return "\n".join(lines)
