"""What must be true before MindSpore computes anything: versions, instruction set, mode, seeds.

MindSpore 2.9 and 2.10 carry a oneDNN whose dispatcher picks a reference
(unoptimised) convolution on processors with AVX-512; they are 10 to 100 times
too slow there. Limiting oneDNN to AVX2 cures it. oneDNN reads the limit at its
first use, so importing `src_mindspore` sets it, before or after
`import mindspore`, as long as no convolution has run.
"""
import contextlib
import gc
import os
import platform
import signal
import sys
import threading
from importlib import metadata
from pathlib import Path

from src_mindspore.errors import LabError

ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"
MINDSPORE_VERSION = "2.10.0"


def set_environment(environ=os.environ):
    """Set the variables that oneDNN and MindSpore read, where the user has not set them.

    Args:
        environ: mapping of str to str; changed in place.
    """
    environ.setdefault(ISA_VARIABLE, "AVX2")
    # Level 3 keeps errors and drops warnings that mean nothing to a learner.
    environ.setdefault("GLOG_v", "3")


def import_openvino():
    """Import OpenVINO without the message it otherwise sends to its makers at every import.

    Returns:
        The module.

    Raises:
        ImportError: it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # OpenVINO then takes its own empty stand-in
    import openvino
    return openvino


def check_versions(version_of=metadata.version):
    """Refuse combinations that are known to be wrong.

    Args:
        version_of: function from package name to version string (replaced in tests).

    Raises:
        LabError: mindspore is missing or of another version, or NumPy is 2 or newer.
    """
    remedy = "Run `make env`, then use .venv/bin/python."
    try:
        mindspore = version_of("mindspore")
    except metadata.PackageNotFoundError:
        raise LabError(f"MindSpore is not installed for {sys.executable}. {remedy}") from None
    if mindspore != MINDSPORE_VERSION:
        raise LabError(f"MindSpore {mindspore} is installed; expected {MINDSPORE_VERSION}, whose "
                       f"speed and results this project was measured with. {remedy}")
    numpy = version_of("numpy")
    if int(numpy.split(".")[0]) >= 2:
        raise LabError(f"NumPy {numpy} is installed, but MindSpore {mindspore} is compiled against "
                       f"NumPy 1; expected numpy<2. {remedy}")


def check_instruction_set(environ=os.environ, cpu_flags=None):
    """Refuse the setting that makes convolutions 10 to 100 times slower.

    Args:
        environ: mapping with ONEDNN_MAX_CPU_ISA.
        cpu_flags: set of str, the processor's flags; read from the system when None.

    Raises:
        LabError: the processor has AVX-512 and oneDNN was told to use more than AVX2.
    """
    flags = read_cpu_flags() if cpu_flags is None else cpu_flags
    if "avx512f" in flags and environ.get(ISA_VARIABLE) not in ("AVX2", "AVX", "SSE41"):
        raise LabError(f"{ISA_VARIABLE} is {environ.get(ISA_VARIABLE)!r}. On this processor "
                       f"MindSpore {MINDSPORE_VERSION} computes convolutions 10 to 100 times too "
                       f"slowly unless it is AVX2. Unset it, or set {ISA_VARIABLE}=AVX2.")


def read_cpu_flags():
    """Return the processor's instruction-set flags as a set of str (empty where unknown)."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


def start(seed=0):
    """Check the machine, import MindSpore, choose graph mode on the CPU, seed everything.

    Args:
        seed: int >= 0.

    Returns:
        The imported `mindspore` module.

    Raises:
        LabError: see `check_versions` and `check_instruction_set`.
    """
    set_environment()
    check_versions()
    check_instruction_set()
    import mindspore as ms

    # Refused once MindSpore has computed something, as in a notebook; it is the CPU then anyway.
    with contextlib.suppress(RuntimeError):
        ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_seed(seed)
    _keep_ctrl_c()
    _spare_the_modules()
    return ms


def _spare_the_modules():
    """Take what is imported out of Python's garbage collection.

    MindSpore 2.10 collects garbage whenever it compiles a graph, and so walks through its own
    modules, which never become garbage: 0.1 to 0.2 s each time.
    """
    if not gc.get_freeze_count():
        gc.freeze()


def _keep_ctrl_c():
    """Let Ctrl-C be a KeyboardInterrupt, although MindSpore takes the signal away.

    With every graph that runs MindSpore 2.10 installs a handler for SIGINT that sends the process
    SIGTERM, which would end it on the spot: nothing chosen, exported or explained. So SIGTERM asks
    as Ctrl-C does, whoever sends it.
    """
    # Only the main thread may set a handler, and one of the user's own stays.
    if threading.current_thread() is threading.main_thread() \
            and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def describe():
    """Return a dict of the versions and the machine, for the record kept with a run."""
    names = ("mindspore", "numpy", "opencv-python-headless", "pillow", "scikit-learn")
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor_name(),
        "cores": usable_cores(),
        ISA_VARIABLE: os.environ.get(ISA_VARIABLE, ""),
        "packages": versions,
    }


def usable_cores():
    """Return the number of cores this process may use (int >= 1)."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1


def _processor_name():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
