"""Train in several processes with MindSpore's launcher, and say in plain words how it ended.

    python -m src_mindspore.launch 2 train_network.py --preset finetune

It is `msrun` of this environment on a free port, with the first process's output on the screen.
On Ascend cards the same script runs under msrun as it is.
"""
import argparse
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from src_mindspore.configuration import Parser
from src_mindspore.errors import LabError, run_as_script

MSRUN = Path(sys.executable).with_name("msrun")
# What MindSpore's rendezvous says of itself.
NOISE = re.compile(r"\[INFO\] (DISTRIBUTED|PS)|^\[WARNING\]")


def launch(workers, script, argv, logs):
    """Run a script in several processes and wait for them.

    Args:
        workers: int >= 1.
        script: path of a Python file.
        argv: list of str, its arguments.
        logs: Path, where each process writes worker_N.log.

    Raises:
        LabError: a process ended before the job was done; it says what is kept.
    """
    if not Path(script).is_file():
        raise LabError(f"There is no script {script}. Expected for example train_network.py.")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # msrun starts `python`, whichever that is; it has to be this one.
    env = {**os.environ, "PATH": f"{MSRUN.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    logs.mkdir(parents=True, exist_ok=True)
    for old in logs.glob("worker_*.log"):
        # What an earlier job said would be shown, and read, as this one's.
        old.unlink()
    with open(logs / "msrun.log", "wb") as out:
        job = subprocess.Popen(
            [str(MSRUN), f"--worker_num={workers}", f"--local_worker_num={workers}",
             f"--master_port={port}", f"--log_dir={logs}", "--join=True", str(script), *argv],
            env=env, stdout=out, stderr=subprocess.STDOUT)
        first = logs / "worker_0.log"
        _show_until_the_end(job, first)
    if job.returncode:
        raise LabError(_what_happened(workers, first, logs))


def _show_until_the_end(job, path):
    shown, failed = 0, False
    while True:
        ended = job.poll() is not None
        if path.exists():
            with open(path, "rb") as file:
                file.seek(shown)
                new = file.read()
            # Only whole lines; a progress bar writes many into one.
            whole = len(new) if ended else new.rfind(b"\n") + 1
            shown += whole
            for line in new[:whole].decode("utf-8", "replace").split("\n"):
                # A mistake is told at the end, by `launch`, and once.
                failed = failed or line.startswith("error: ")
                if line.strip() and not failed and not NOISE.search(line):
                    print(line.rpartition("\r")[2], flush=True)
        if ended:
            return
        time.sleep(0.5)


def _what_happened(workers, first, logs):
    launcher = (logs / "msrun.log").read_text(encoding="utf-8", errors="replace")
    for number in range(workers):
        path = logs / f"worker_{number}.log"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        mistake = re.search(r"^error: (.*)", text, re.MULTILINE | re.DOTALL)
        if mistake and "no longer answer" not in mistake.group(1):
            lines = [line for line in mistake.group(1).splitlines() if not NOISE.search(line)]
            return " ".join(lines).strip()
    text = first.read_text(encoding="utf-8", errors="replace") if first.exists() else ""
    code = re.search(r"exit with exception\. Error code: (-?\d+)", launcher)
    folder = re.findall(r"^run: (.*?)(?: \(going on\))?$", text, re.MULTILINE)
    epochs = re.findall(r"epoch +([\d.]+)/\d+  lr", text)
    kept = f"Everything up to epoch {float(epochs[-1]):g} is kept in {folder[-1]}" \
        if folder and epochs else "No validation had been reached"
    return (f"One of the {workers} processes ended before the training did"
            + (f" (exit code {code.group(1)}"
               + ("; that is a kill, often for want of memory)" if code.group(1) == "-9" else ")")
               if code else "")
            + f", so the job was ended. {kept}; the same command goes on from there. What each "
            f"process said last: {logs}/worker_*.log.")


def main(argv):
    """Read the command line and launch."""
    parser = Parser(prog="python -m src_mindspore.launch", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workers", type=int, choices=range(1, 65), metavar="N",
                        help="how many processes")
    parser.add_argument("--logs", metavar="FOLDER", help="default results/logs/<date and time>")
    parser.add_argument("script", help="such as train_network.py")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the script")
    args = parser.parse_args(argv)
    logs = Path(args.logs or Path("results/logs") / time.strftime("%Y%m%d-%H%M%S"))
    launch(args.workers, args.script, args.arguments, logs)


if __name__ == "__main__":
    run_as_script(main)
