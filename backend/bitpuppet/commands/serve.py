"""`bitpuppet serve`: the service that Blender and other programs use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bitpuppet.commands import options
from bitpuppet.errors import BitpuppetError


def serve(
    device: Annotated[
        list[str] | None,
        typer.Option(help="cpu, cuda, cuda:1 or mps; more than once for several. Default: the best that is there."),
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of your own models. Default: one of your user's.")] = None,
    sets: Annotated[Path | None, typer.Option(help="Folder of character sets. Default: one of your user's.")] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            help="The image autoencoder of models that need one, such as heads: a folder, or a name in the hub's local "
            "cache. Default: what BITPUPPET_CODEC names."
        ),
    ] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of jobs and results. Default: one of your user's.")] = None,
    bind: Annotated[
        str, typer.Option(help="Address to listen at; this machine's loopback address only.")
    ] = "127.0.0.1",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let --bind name an address that other machines can reach.")
    ] = False,
    ipc: Annotated[bool, typer.Option("--ipc", help="Use socket files in place of ports (Linux and macOS).")] = False,
    allow_client: Annotated[
        list[str] | None, typer.Option(help="Public key (Z85) of a client that is let in besides your own programs.")
    ] = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="Stop by itself when no program has needed it for --idle-seconds.")
    ] = False,
    idle_seconds: Annotated[float, typer.Option(min=0, help="With --auto: how long to wait for a client.")] = 600,
    parent_pid: Annotated[
        int | None, typer.Option(min=1, help="Stop when this process has ended and no other program uses the server.")
    ] = None,
    parent_pipe: Annotated[
        bool, typer.Option("--parent-pipe", help="The same for whoever holds the other end of standard input.")
    ] = False,
    keep_seconds: Annotated[float, typer.Option(min=0, help="How long an acknowledged result stays.")] = 3600,
    keep_bytes: Annotated[int, typer.Option(min=0, help="Size of all acknowledged results that stay.")] = 256 << 20,
    store_bytes: Annotated[int, typer.Option(min=1, help="Size of the store from which jobs are refused.")] = 8 << 30,
    queued_jobs: Annotated[int, typer.Option(min=1, help="Jobs that may wait at the same time.")] = 1000,
    verbose: Annotated[bool, typer.Option("--verbose", help="Write the log to the terminal, too.")] = False,
) -> None:
    """Run jobs for Blender and other programs of your user, until Ctrl-C. A second start finds the first and ends."""
    from bitpuppet.data.folder import find_sets
    from bitpuppet.server.service import AlreadyRunning
    from bitpuppet.server.service import serve as run
    from bitpuppet.server.settings import Settings, find_models, find_store
    from bitpuppet_client.messages import ServerLimits

    with options.bad_usage():
        for name in device or ():
            options.check_device(name)
        settings = Settings(
            store=store or find_store(),
            models=models or find_models(),
            sets=sets or find_sets(),
            codec=str(Path(codec).absolute()) if codec and Path(codec).exists() else codec,
            devices=tuple(device) if device else (None,),
            bind=bind,
            allow_remote=allow_remote,
            ipc=ipc,
            clients=tuple(allow_client or ()),
            auto=auto,
            idle_seconds=idle_seconds,
            parent=parent_pid,
            parent_pipe=parent_pipe,
            keep_seconds=keep_seconds,
            keep_bytes=keep_bytes,
            store_bytes=store_bytes,
            limits=ServerLimits(queued_jobs=queued_jobs),
        )
    if models is not None and not models.is_dir():
        raise BitpuppetError(f"--models {models} is no folder; name the folder of your .safetensors files")
    if sets is not None and not sets.is_dir():
        raise BitpuppetError(f"--sets {sets} is no folder; name the folder of your character sets")
    try:
        run(settings, tell=_tell, to_stderr=verbose)
    except AlreadyRunning as other:
        told = f"process {other.pid}" if other.pid is not None else "it is starting"
        _tell(f"a server of yours runs already ({told}); nothing was started")


def _tell(line: str) -> None:
    print(options.make_printable(line), file=sys.stderr, flush=True)
