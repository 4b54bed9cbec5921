"""Units of work on Ray Data: numbered, idempotent pieces whose results are files.

A unit is a number. The actor that is handed one writes its file atomically or finds it written, so
a unit that Ray repeats, because an actor or a machine died, changes nothing: every piece is there
once. What travels back is a few words a unit.
"""
import contextlib
import json
import logging
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
import warnings

import psutil

from src_mindspore.errors import LabError
from src_mindspore.runtime import usable_cores

LOCAL = "local"
# A unit that ended its process this often would end any other: its data kill it, or the machines
# have too little memory.
MAX_RETRIES = 8
STARTS = 3
OBJECT_STORE_BYTES = 100 * 2**20  # the objects are numbers; Ray would take a third of the memory

COMMON_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its warnings are about machines coming and going
}
OWN_SETTINGS = {
    # Despite its name: with 0 every server of Ray listens on 127.0.0.1 alone.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Without a token of its own Ray writes one into the home folder, which every later cluster of
    # that user then demands.
    "RAY_AUTH_MODE": "token",
}


def run_units(count_of, units, make_worker, arguments, address, actors=0, note=lambda result: None):
    """Do units of work in actors on Ray.

    Args:
        count_of: str, what a unit is, for messages.
        units: list of int.
        make_worker: importable function or class; `make_worker(*arguments)` runs once an actor and
            returns a function from a unit to a JSON-able dict.
        arguments: tuple.
        address: 'local' for a Ray of this process's own, else 'host:port' of a running one.
        actors: int; 0: one for each core that the cluster offers.
        note: function, called with each result as it arrives; results may come in any order.

    Raises:
        LabError: Ray is not installed or not to be reached, a worker raised one, or a unit ended
            its process again and again.
    """
    if not units:
        return
    with connected(address, actors) as ray:
        import ray.data
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # run_units says it
        actors = min(actors or int(ray.cluster_resources().get("CPU", 1)) or 1, len(units))
        with warnings.catch_warnings():
            # Ray 2.64 will want them as named arguments, which 2.60 does not have.
            warnings.simplefilter("ignore", ray.util.annotations.RayDeprecationWarning)
            rows = ray.data.from_items([{"unit": unit} for unit in units],
                                       override_num_blocks=len(units)).map(
                _Actor, fn_constructor_args=(make_worker, arguments), num_cpus=1,
                # No unit waits behind a slow one, nor behind an actor that is still starting.
                compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
                ray_remote_args_fn=lambda: {"max_restarts": -1, "max_task_retries": MAX_RETRIES})
        arrived = 0
        try:
            for row in rows.iter_rows():
                result = json.loads(row["result"])
                if "lab_error" in result:
                    raise LabError(result["lab_error"])
                arrived += 1
                note(result)
        except ray.exceptions.RayError as error:
            raise LabError(
                f"The work on Ray ended after {arrived} of {len(units)} {count_of}: "
                f"{_last_line(error)}. Finished ones are kept; the same command goes on from "
                "there.") from error
    if arrived != len(units):
        raise LabError(f"Ray answered {arrived} of {len(units)} {count_of}. Run the same command "
                       "again: it goes on with what is missing.")


class _Actor:
    """What Ray keeps alive: a worker and, instead of an exception, its words."""

    def __init__(self, make_worker, arguments):
        self.problem = ""
        try:
            self.worker = make_worker(*arguments)
        except LabError as error:
            # Raised here it would be taken for a crash and tried for ever.
            self.problem = str(error)

    def __call__(self, row):
        try:
            result = {"lab_error": self.problem} if self.problem else self.worker(int(row["unit"]))
        except LabError as error:
            result = {"lab_error": str(error)}
        if "lab_error" in result:
            result["lab_error"] += f" (said by a worker on {socket.gethostname()})"
        return {"result": json.dumps(result)}


@contextlib.contextmanager
def connected(address, actors=0):
    """Connect to a running Ray, or start one of our own that ends with the block.

    Our own listens on the loopback interface alone and asks for a token that stands in no file; its
    temporary files are removed.

    Args:
        address: 'local' or 'host:port'.
        actors: int, how many the local one is for; 0: one a core.

    Yields:
        The imported `ray` module.

    Raises:
        LabError: see `run_units`.
    """
    if address != LOCAL:
        with _environment(COMMON_SETTINGS), _driver(_import_ray(), address) as ray:
            yield ray
        return
    # Short, because sockets have paths of at most 107 characters.
    temporary = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    before = set(_children())
    try:
        # Where Ray notes the address of a cluster for others to find; here nobody looks.
        os.mkdir(os.path.join(temporary, "ray"))
        with _environment(COMMON_SETTINGS | OWN_SETTINGS | {
                "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_TMPDIR": temporary}):
            ray = _import_ray()
            address = _start(ray, before, num_cpus=actors or usable_cores(), temp_dir=temporary)
            with _driver(ray, address):
                yield ray
    finally:
        _end(before)
        shutil.rmtree(temporary, ignore_errors=True)


def _import_ray():
    try:
        import pyarrow.parquet  # noqa: F401 (Ray Data needs it, and its error is the clearer)
        import ray
    except ImportError as error:
        raise LabError(f"--ray needs the packages ray[data] and pyarrow: {error}. Run `make env`, "
                       "then use .venv/bin/python; or leave --ray out and work on this machine "
                       "alone.") from None
    return ray


@contextlib.contextmanager
def _driver(ray, address):
    """Be connected to a Ray that runs."""
    try:
        with _silent():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises many types, bare Exception among them
        raise LabError(f"Ray cannot be used at {address}: {_last_line(error)}. Is it Ray "
                       f"{ray.__version__} that listens there? Where it asks for a token, set "
                       "RAY_AUTH_TOKEN here to its token; or write --ray alone for one on this "
                       "machine.") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray, before, **options):
    """Start a Ray of one node; return its address.

    Not by ray.init(), which starts three processes more than are needed here (a dashboard, a log
    monitor, an autoscaler): half a minute on a busy machine.
    """
    from ray.cluster_utils import Cluster
    for attempt in range(STARTS):
        try:
            with _silent():
                return Cluster(initialize_head=True, head_node_args={
                    "include_dashboard": False, "include_log_monitor": False, "no_monitor": True,
                    "object_store_memory": OBJECT_STORE_BYTES, **options}).address
        except Exception as error:  # it gives its processes 15 s each, and raises bare Exception
            _end(before)
            if attempt == STARTS - 1:
                raise LabError(f"Ray could not be started here: {_last_line(error)}. Try again "
                               "when the machine is less busy, or leave --ray out.") from error


def _children():
    return psutil.Process().children(recursive=True)


def _end(before):
    """End the processes that came after `before`, should Ray have left any."""
    left = [child for child in _children() if child not in before]
    for child in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(left, timeout=10)


def add_ray_flags(parser):
    """Add --ray and --actors to a command line."""
    parser.add_argument("--ray", nargs="?", const=LOCAL, metavar="ADDRESS", help="work in "
                        "processes on Ray: on this machine, or on the running cluster at host:port")
    parser.add_argument("--actors", type=int, default=0, metavar="N",
                        help="how many processes on Ray (default 0: one a core)")


def check_ray_flags(args):
    """Refuse an address that is none, such as a path that `--ray` swallowed, or a wrong count.

    Raises:
        LabError: as said, or nothing listens at the address.
    """
    if args.actors < 0 or (args.actors and not args.ray):
        raise LabError(f"--actors is {args.actors}; expected 0 (one a core) or more, and --ray "
                       "beside it.")
    if not args.ray or args.ray == LOCAL:
        return
    match = re.fullmatch(r"[\w.-]+:(\d+)", args.ray)
    if not match or not 0 < int(match[1]) < 65536:
        raise LabError(f"--ray was given {args.ray!r}; expected host:port of a running Ray, for "
                       "example --ray 10.0.0.1:6379, or --ray alone, as the last flag, for one on "
                       "this machine.")
    host, port = args.ray.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise LabError(f"Nothing answers at {args.ray} ({error.strerror or error}). Start Ray "
                       "there with `ray start --head`, or write --ray alone for one on this "
                       "machine.") from None


@contextlib.contextmanager
def _environment(settings):
    """Set variables for the block, where the user has not set them."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _silent():
    """Drop what the block writes to stderr also from C++: Ray announces its own log level there."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _last_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300].rstrip(".")
