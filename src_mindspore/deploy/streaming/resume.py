"""How a stream that was stopped, or that died, goes on."""
import re
import shlex
import sys
from pathlib import Path

from src_mindspore.deploy.streaming.settings import flink_uri
from src_mindspore.errors import LabError

LAST = "last"


def state_to_resume(named, state):
    """Return what `--resume` names.

    Args:
        named: str: '', `last`, or a folder or URI of a savepoint or checkpoint.
        state: see `newest_state`.

    Returns:
        str, a URI or folder for Flink, or ''.

    Raises:
        LabError: there is none, or a local folder is no savepoint or checkpoint.
    """
    if named == LAST:
        return newest_state(state)
    local = re.sub("^file:(//)?(?=/)", "", named)
    if named and "://" not in local and not Path(local, "_metadata").is_file():
        raise LabError(f"--resume names {named}, which is no complete savepoint or checkpoint: it "
                       "holds no file _metadata. Expected a folder such as "
                       "STATE/savepoints/savepoint-... or STATE/checkpoints/<job>/chk-<number>; "
                       "or `last`, the newest of --out.")
    return named


def newest_state(state):
    """Find what a stream can go on from: the newest savepoint or checkpoint that is complete.

    An older one would write again what later ones have already made visible.

    Args:
        state: str or Path, the folder of checkpoints and savepoints.

    Returns:
        str, URI of the folder.

    Raises:
        LabError: there is none.
    """
    # Flink writes the metadata last and renames it into place.
    found = [*Path(state).glob("savepoints/*/_metadata"),
             *Path(state).glob("checkpoints/*/chk-*/_metadata")]
    if not found:
        raise LabError(f"{state} holds no savepoint and no complete checkpoint, so there is "
                       "nothing to go on from. --resume last needs the --out of the earlier "
                       "stream; without --resume a stream begins anew.")
    return flink_uri(max(found, key=_moment).parent.resolve())


def _moment(metadata):
    """Sort by time; of one moment the higher number, and a savepoint after its checkpoints."""
    number = re.fullmatch(r"chk-(\d+)", metadata.parent.name)
    return metadata.stat().st_mtime_ns, int(number[1]) if number else float("inf")


def command_to_resume(parser, args, out, place):
    """Return the command, as one would type it, that goes on from a savepoint.

    Args:
        parser: ArgumentParser that read the arguments; all its flags take a value.
        args: Namespace of the stream that was stopped.
        out: str or Path, its --out.
        place: str, URI of the savepoint.

    Returns:
        str, quoted for the shell, without the flags that are at their default; --ckpt always, for
        it may be changed.
    """
    given = {**vars(args), "out": str(out), "resume": place}
    flags = [word for name, value in given.items()
             if name == "ckpt" or value != parser.get_default(name)
             for word in (f"--{name}", str(value))]
    return shlex.join([sys.executable, "-m", "src_mindspore.deploy.streaming", *flags])
