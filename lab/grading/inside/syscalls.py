"""System calls that Python lacks: namespaces and mounts, Landlock, seccomp.

Landlock: https://docs.kernel.org/userspace-api/landlock.html
seccomp: https://docs.kernel.org/userspace-api/seccomp_filter.html
The order of mounts follows bubblewrap (https://github.com/containers/bubblewrap).
"""
import ctypes
import os
import platform
import struct

# Numbers of system calls differ between processors; they are listed for the one this was tried on.
IS_X86_64 = platform.machine() == "x86_64"

NEW_NS, NEW_CGROUP, NEW_UTS = 0x00020000, 0x02000000, 0x04000000
NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x08000000, 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH, _AT_FDCWD, _AT_RECURSIVE = 2, -100, 0x8000
_PIVOT_ROOT, _MOUNT_SETATTR = 155, 442

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_SECUREBITS = 1, 22, 28
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_SCOPE_ABSTRACT_SOCKET, _SCOPE_SIGNAL = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def _syscall(what, number, *arguments):
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *wide), what)


def _prctl(what, option, *arguments):
    padded = (*arguments, 0, 0, 0, 0)[:4]
    _check(_libc.prctl(option, *(ctypes.c_ulong(a) if isinstance(a, int) else a for a in padded)),
           what)


def unshare(flags):
    """Move this process (for NEW_PID: its children) into new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def mount(source, target, kind=None, flags=0, options=None):
    """Mount; every argument as for mount(2)."""
    encoded = [None if text is None else os.fsencode(text) for text in
               (source, target, kind, options)]
    _check(_libc.mount(*encoded[:3], ctypes.c_ulong(flags), encoded[3]), f"mount on {target}")


def protect(target, attributes, recursive=False):
    """Set mount attributes (MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC) on a mount."""
    value = ctypes.create_string_buffer(struct.pack("=QQQQ", attributes, 0, 0, 0))
    _syscall(f"mount_setattr on {target}", _MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target),
             _AT_RECURSIVE if recursive else 0, value, 32)


def pivot_into(root):
    """Make `root` the root of this mount namespace and let go of the old one."""
    os.chdir(root)
    _syscall("pivot_root", _PIVOT_ROOT, b".", b".")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


def die_with_parent():
    """Ask for SIGKILL when the parent ends."""
    _prctl("prctl(PDEATHSIG)", _PR_SET_PDEATHSIG, 9)


def adopt_orphans():
    """Become the parent of every descendant whose own parent has ended."""
    _prctl("prctl(CHILD_SUBREAPER)", _PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges():
    """Let no program that is started give more rights (set-user-ID); needed by the two below."""
    _prctl("prctl(NO_NEW_PRIVS)", _PR_SET_NO_NEW_PRIVS, 1)


def forbid_root_capabilities():
    """Let user 0 have no capability after the next exec (SECBIT_NOROOT, locked)."""
    _prctl("prctl(SECUREBITS)", _PR_SET_SECUREBITS, 3)


def landlock_version():
    """Return the Landlock ABI of the running kernel, 0 where there is none."""
    return max(_libc.syscall(ctypes.c_long(_LANDLOCK_CREATE), None, ctypes.c_long(0),
                             ctypes.c_long(1)), 0)


def restrict_files(readable, writable):
    """Let this process and its children read and run only `readable`, and change only `writable`.

    From ABI 6 on, signals reach no process outside either.

    Args:
        readable: paths, each with all that is below.
        writable: paths, each with all that is below; they are readable too.
    """
    version = landlock_version()
    known = (1 << 13) - 1 | (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    sizes = 24 if version >= 6 else 16 if version >= 4 else 8
    scoped = _SCOPE_ABSTRACT_SOCKET | _SCOPE_SIGNAL if version >= 6 else 0
    rules = ctypes.create_string_buffer(struct.pack("=QQQ", known, 0, scoped)[:sizes], sizes)
    ruleset = _syscall("landlock_create_ruleset", _LANDLOCK_CREATE, rules, sizes, 0)
    for paths, rights in ((readable, _EXECUTE | _READ_FILE | _READ_DIR), (writable, known)):
        for path in paths:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
            allowed = rights & known if os.path.isdir(path) else rights & known & _FILE_RIGHTS
            rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, handle), 12)
            _syscall(f"landlock_add_rule for {path}", _LANDLOCK_ADD, ruleset, 1, rule, 0)
            os.close(handle)
    _syscall("landlock_restrict_self", _LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


# x86_64 numbers of what no classifier needs, and what it could do with it.
_FORBIDDEN = (
    101, 310, 311,                  # ptrace, process_vm_readv, process_vm_writev: other processes
    425,                            # io_uring_setup: sockets past this filter
    272, 308, 165, 166, 155, 161,   # unshare, setns, mount, umount2, pivot_root, chroot
    428, 429, 430, 431, 432, 442,   # the newer mount calls
    321, 298, 323,                  # bpf, perf_event_open, userfaultfd: attacks on the kernel
    248, 249, 250,                  # add_key, request_key, keyctl
    203,                            # sched_setaffinity: the one core it was given
    319, 29, 68,                    # memfd_create, shmget, msgget: memory the watchdog cannot see
    41,                             # socket: the network, and services that listen on this machine
)
_CLONE, _CLONE3 = 56, 435
_EPERM, _ENOSYS, _X32 = 1, 38, 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _AUDIT_X86_64 = 0x7FFF0000, 0x00050000, 0xC000003E


def _program():
    """Return the filter as a list of (code, jump if true, jump if false, k)."""
    refuse = (_RETURN, 0, 0, _ERRNO | _EPERM)
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _AUDIT_X86_64), refuse,
               (_LOAD, 0, 0, 0), (_AT_LEAST, 0, 1, _X32), refuse]
    for number in _FORBIDDEN:
        program += [(_EQUAL, 0, 1, number), refuse]
    # clone3 keeps its flags in memory, which a filter cannot read; without it libc takes clone.
    program += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    program += [(_EQUAL, 0, 3, _CLONE), (_LOAD, 0, 0, 16), (_ANY_BIT, 0, 1, NEW_USER), refuse]
    return [*program, (_RETURN, 0, 0, _ALLOW)]


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def restrict_calls():
    """Refuse sockets, new namespaces, tracing, and memory that cannot be counted."""
    code = b"".join(struct.pack("=HBBI", *step) for step in _program())
    program = _Filter(len(code) // 8, code)
    _prctl("prctl(SECCOMP)", _PR_SET_SECCOMP, 2, ctypes.byref(program))


def has_seccomp():
    """Return True where the kernel filters system calls and the table above fits the processor."""
    # An empty address is refused as such (EFAULT) only where filters exist.
    return IS_X86_64 and _libc.prctl(_PR_SET_SECCOMP, 2, None, 0, 0) < 0 \
        and ctypes.get_errno() == 14
