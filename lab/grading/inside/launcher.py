"""Builds the fence around one hand-in, starts the worker inside, and stays as its guard.

    python -I launcher.py CONFIG                      (started by supervisor.py; CONFIG is JSON)

Three processes: this one, outside, which tells the supervisor how the worker ended; with
namespaces a first process of the new process namespace, whose end ends everything in it; and the
worker. What each layer does is listed for people in protection.py.
"""
import json
import os
import resource
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import syscalls  # noqa: E402
from wire import pack, write_all  # noqa: E402

# Seen by the hand-in. With namespaces it is a mount of this name; without, a temporary folder.
SCRATCH = "/scratch"
DEVICES = ("null", "zero", "full", "random", "urandom")
# Numbers of files a scratch folder takes: inodes cost memory that size= does not count.
MOST_FILES = 50_000


def main(config):
    """Build, start, wait, report; returns only when killed."""
    syscalls.die_with_parent()
    syscalls.adopt_orphans()
    os.sched_setaffinity(0, [config["core"]])
    status = config["status"]
    try:
        if config["namespaces"]:
            enter_namespaces()
        first = os.fork()
        if not first:
            inside(config)
    except OSError as error:
        write_all(status, pack({"failed": str(error)}))
    else:
        for handle in (config["requests"], config["answers"]):
            os.close(handle)
        write_all(status, pack({"exit": wait_for(first)}))
    # What the hand-in left running is this process's to adopt until the supervisor has ended it.
    while True:
        signal.pause()


def wait_for(child):
    """Wait for one child and clear away others meanwhile; its code, or 128 + its signal."""
    while True:
        pid, code = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(code)
            return code if code >= 0 else 128 - code


def enter_namespaces():
    """Leave the network, the processes, the mounts and the queues of this machine."""
    flags = (syscalls.NEW_NS | syscalls.NEW_PID | syscalls.NEW_NET | syscalls.NEW_IPC
             | syscalls.NEW_UTS | syscalls.NEW_CGROUP)
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        syscalls.unshare(flags)
        return
    syscalls.unshare(flags | syscalls.NEW_USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"),
                       ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def inside(config):
    """Become the worker; in a process namespace its guard stays between. Never returns."""
    try:
        syscalls.die_with_parent()
        if config["namespaces"]:
            build_root(config)
            scratch = SCRATCH
        else:
            scratch = config["scratch"]
        fill_scratch(scratch, config)
        if config["namespaces"]:
            syscalls.protect(config["scratch"], syscalls.MS_RDONLY)
            syscalls.pivot_into(config["scratch"])
            worker = os.fork()
            if worker:
                os.close(config["status"])
                os._exit(wait_for(worker))
            os.setsid()
        start_worker(scratch, config)
    except BaseException as error:
        write_all(config["status"], pack({"failed": f"{type(error).__name__}: {error}"}))
    os._exit(1)


def build_root(config):
    """Mount a root folder that holds what Python needs, read-only, and an empty scratch folder."""
    root = config["scratch"]
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", root, "tmpfs", syscalls.MS_NOSUID, "size=4m,mode=755")
    bound = []
    for path in config["readable"]:
        bind(path, root, bound)
    for name in DEVICES:
        target = make_file(f"{root}/dev/{name}")
        syscalls.mount(f"/dev/{name}", target, None, syscalls.MS_BIND)
    links = {"/dev/fd": "/proc/self/fd", "/dev/shm": f"{SCRATCH}/shm", "/tmp": f"{SCRATCH}/tmp"}
    for link, target in links.items():
        if not os.path.lexists(root + link):  # Python itself may live below /tmp
            os.symlink(target, root + link)
    os.makedirs(f"{root}/proc", exist_ok=True)
    syscalls.mount("proc", f"{root}/proc", "proc",
                   syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    os.mkdir(root + SCRATCH)
    syscalls.mount("tmpfs", root + SCRATCH, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV,
                   f"size={config['scratch_bytes']},nr_inodes={MOST_FILES},mode=755")


def bind(path, root, bound):
    """Show a file or folder at the same place below `root`, read-only; links stay links."""
    if not os.path.lexists(path) or any(path == b or path.startswith(b + "/") for b in bound):
        return
    target = root + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        bind(os.path.realpath(path), root, bound)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        make_file(target)
    syscalls.mount(path, target, None, syscalls.MS_BIND | syscalls.MS_REC)
    syscalls.protect(target, syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV, True)
    bound.append(path)


def make_file(path):
    """Make an empty file to mount on, with its folders; its path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").close()
    return path


def fill_scratch(scratch, config):
    """Copy the hand-in and the lab's library into the scratch folder."""
    place = config["scratch"] + scratch if config["namespaces"] else scratch
    for name in ("home", "tmp", "shm"):
        os.mkdir(f"{place}/{name}")
    shutil.copytree(config["submission"], f"{place}/work", symlinks=True)
    shutil.copytree(config["library"], f"{place}/library/src_mindspore",
                    ignore=shutil.ignore_patterns("__pycache__"))
    # A read-only hand-in (or one of MindSpore's files, mode 0400) must open for the worker.
    for folder, _, names in os.walk(place):
        os.chmod(folder, 0o755)
        for name in names:
            os.chmod(f"{folder}/{name}", 0o644)
        if config["user"] is not None:
            for path in (folder, *(f"{folder}/{name}" for name in names)):
                os.chown(path, config["user"], config["user"])


def start_worker(scratch, config):
    """Give up every right that is not needed, and exec."""
    os.set_inheritable(config["status"], False)
    for name, value in config["limits"].items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    os.chdir(f"{scratch}/work")
    if config["user"] is not None:
        os.setgroups([])
        os.setresgid(*[config["user"]] * 3)
        os.setresuid(*[config["user"]] * 3)
    elif os.geteuid() == 0:
        syscalls.forbid_root_capabilities()
    syscalls.forbid_new_privileges()
    if config["landlock"]:
        # /proc: of this process namespace alone; without namespaces others' secrets in it are
        # refused, because a confined process may not trace one outside.
        readable = ["/"] if config["namespaces"] else [
            p for p in (*config["readable"], "/proc") if os.path.exists(p)]
        syscalls.restrict_files(readable, [scratch, *(f"/dev/{name}" for name in DEVICES)])
    if config["seccomp"]:
        syscalls.restrict_calls()
    environment = {**config["environment"], "HOME": f"{scratch}/home", "TMPDIR": f"{scratch}/tmp"}
    os.execve(config["command"][0], [*config["command"], f"{scratch}/library"], environment)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
