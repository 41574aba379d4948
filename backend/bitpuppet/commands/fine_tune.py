"""`bitpuppet train --from BASE SET`: base weights learn an animator's characters."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError

if TYPE_CHECKING:
    from bitpuppet.training.fine_tuning import FineTuning
    from bitpuppet.training.tuning_recipe import TuningProgress, TuningRecipe


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    base: str
    """A preset, or a weights file."""
    characters: Path
    out: Path
    recipe: TuningRecipe
    data: Path | None
    puppets_only: bool
    resume: bool
    device: str | None


def fine_tune(request: Request) -> None:
    """Train, with a bar; Ctrl-C saves.

    Raises:
        BitpuppetError: the base, the set or the folder cannot be used.
    """
    from bitpuppet.data.character_set import read_character_set
    from bitpuppet.data.folder import find_data, has_base_data

    preset, weights = find_base(request.base)
    characters = read_character_set(find_characters(request.characters))
    data = None if request.puppets_only else request.data or find_data()
    if data is not None and not has_base_data(data):
        if request.data is not None:
            raise BitpuppetError(f"--data {data}: lpc/ or sprites/ is missing in it; correct it, or add --puppets-only")
        data = None
    from bitpuppet.training.fine_tuning import FineTuning

    run = FineTuning(
        characters, request.out, request.recipe, base=preset, weights=weights, data=data, device=request.device
    )
    if request.resume:
        run.resume()
    elif run.checkpoint_file.exists():
        raise BitpuppetError(f"{request.out}: there is a run in this folder; add --resume, or choose another --out")
    else:
        print(f"measuring a few steps on {len(characters.characters)} characters ...", file=sys.stderr)
        print(f"the run: {run.estimate()}", file=sys.stderr)
    _run(run, characters.name)


def find_characters(path: Path) -> Path:
    """Where the set is that was named: a path as it is, or the name of a set that is kept."""
    from bitpuppet.data.set_store import find_set

    if path.exists() or path.name != str(path) or path.suffix:
        return path
    try:
        return find_set(str(path))
    except BitpuppetError as error:
        raise BitpuppetError(f"{path}: there is no such folder or file here, and {error}") from error


def find_base(name: str) -> tuple[str, Path | None]:
    """The preset and the weights file, None for those that ship, that `--from` names.

    Raises:
        typer.BadParameter: there is no such preset, and no such file.
        BitpuppetError: the file is no weights file.
    """
    from bitpuppet.model.preset import PRESETS

    if name in PRESETS:
        return name, None
    path = Path(name)
    if path.suffix != ".safetensors":
        known = ", ".join(PRESETS)
        raise typer.BadParameter(
            f"--from {name}: there is no such preset ({known}); a weights file ends in .safetensors"
        )
    options.check_weights("--from", path)
    from bitpuppet.training.tuned_model import read_preset_name

    return read_preset_name(path), path


def _run(run: FineTuning, name: str) -> None:
    with options.progress_bar() as bar:
        task = bar.add_task(f"training on {name}", total=run.steps, completed=run.step, note="")

        def watch(progress: TuningProgress) -> None:
            note = f"{progress.stage}, loss {progress.loss:.3f}" if progress.loss is not None else progress.stage
            if progress.best is not None:
                note += f", best {progress.best:.1%} exact"
            bar.update(task, completed=progress.step, total=progress.steps, note=note)
            if progress.held_out is not None:
                say(f"step {progress.step}: {progress.held_out:.1%} of held-out pixels exact; {progress.samples}")
            elif progress.samples is not None:
                say(f"step {progress.step}: samples in {progress.samples}")

        def say(line: str) -> None:
            if bar.console.is_terminal:
                bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                print(line, file=sys.stderr, flush=True)

        tuned = run.run(watch)
    words = {"done": "done", "stopped": "stopped", "early": "ended early, since held-out animations got no better"}
    print(f"{tuned.model}: {words[tuned.ended]} after {tuned.steps} steps, {tuned.seconds / 60:.1f} min")
    if tuned.held_out is not None and tuned.held_out_before is not None:
        print(f"held-out animations: {tuned.held_out_before:.1%} exact before, {tuned.held_out:.1%} now")
