"""A kernel of one's own for a notebook, reached over local sockets and not over the network."""
import math
import tempfile
import time
from pathlib import Path
from queue import Empty

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient import NotebookClient
from traitlets import Type
from traitlets.config import Config

LOOK = 1.0  # seconds between two looks for a message that nothing announced


class LookingChannel(AsyncZMQSocketChannel):
    """A channel that looks for a message itself, beside being woken by one.

    A wake-up of pyzmq's asyncio sockets is lost now and then: the message is there, and the waiting
    goes on until its time is over, which for a cell is minutes.
    """

    async def get_msg(self, timeout=None):
        """Return the next message.

        Args:
            timeout: float, seconds; None waits for ever.

        Raises:
            queue.Empty: none came in time.
        """
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        while True:
            left = deadline - time.monotonic()
            try:
                return await super().get_msg(max(0.0, min(LOOK, left)))
            except Empty:
                if left <= LOOK:
                    raise


class LookingClient(AsyncKernelClient):
    """A client of a kernel whose replies and outputs are looked for."""

    shell_channel_class = Type(LookingChannel)
    iopub_channel_class = Type(LookingChannel)


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
        manager = {"transport": "ipc", "ip": str(Path(self.sockets.name) / "kernel"),
                   "client_factory": LookingClient}
        super().__init__(notebook, timeout=timeout, kernel_name="python3", coalesce_streams=True,
                         record_timing=False, resources={"metadata": {"path": str(folder)}},
                         config=Config(KernelManager=manager), **options)
