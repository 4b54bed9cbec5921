"""What one hand-in may use."""
import dataclasses

MEGABYTE = 1_000_000


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of one hand-in; each can be changed on the command line under its name.

    Attributes:
        import_seconds: float, wall time until main.py is imported (MindSpore alone takes seconds).
        image_seconds: float, wall time of one call of predict.
        total_seconds: float, wall time of the import and all scored photos together.
        replay_seconds: float, wall time of the replays that look for traps; never part of a score.
        cpu_seconds: int, processor time of all its processes together.
        memory_mb: int, memory of all its processes together (proportional set size).
        scratch_mb: int, what it may write to files, its own copy not counted.
        output_mb: int, what it may print.
        processes: int, processes and threads at once.
    """

    import_seconds: float = 120
    image_seconds: float = 10
    total_seconds: float = 900
    replay_seconds: float = 300
    cpu_seconds: int = 1200
    memory_mb: int = 2048
    scratch_mb: int = 512
    output_mb: int = 64
    processes: int = 512

    def for_kernel(self, written, processes):
        """Return what the kernel itself enforces on each process: dict from RLIMIT name to int.

        Args:
            written: int, bytes of the largest file that may appear.
            processes: int, tasks of the user that the hand-in runs as.
        """
        memory = self.memory_mb * MEGABYTE
        return {
            "CPU": int(self.cpu_seconds), "FSIZE": written, "NOFILE": 1024, "CORE": 0,
            "NPROC": processes, "MEMLOCK": 0, "MSGQUEUE": 0,
            # MindSpore reserves 1.3 GB that it never touches, and maps 2.3 GB; the sum of what is
            # really used is watched by the supervisor.
            "DATA": memory + 2_000 * MEGABYTE, "AS": memory + 8_000 * MEGABYTE,
        }
