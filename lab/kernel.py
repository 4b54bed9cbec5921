"""A kernel of one's own for a notebook, reached over local sockets and not over the network."""
import tempfile
from pathlib import Path

from nbclient import NotebookClient
from traitlets.config import Config


class KernelClient(NotebookClient):
    """Runs a notebook in a kernel that listens to no port.

    Args:
        notebook: nbformat.NotebookNode, outputs are filled in.
        folder: Path the kernel starts in.
        timeout: int, seconds a cell may take.
        **options: further traits of NotebookClient.
    """

    def __init__(self, notebook, folder, timeout, **options):
        # Kept as long as the client: the sockets are files in it.
        self.sockets = tempfile.TemporaryDirectory(prefix="lab-")
        # The default, TCP, could be listened to by other users of the machine.
        manager = {"transport": "ipc", "ip": str(Path(self.sockets.name) / "kernel")}
        super().__init__(notebook, timeout=timeout, kernel_name="python3", coalesce_streams=True,
                         record_timing=False, resources={"metadata": {"path": str(folder)}},
                         config=Config(KernelManager=manager), **options)
