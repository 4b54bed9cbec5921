"""A kernel of one's own for a notebook, reached over local sockets and not over the network."""
from nbclient import NotebookClient


def new_client(notebook, folder, timeout, **options):
    """Return a NotebookClient for a notebook; its kernel is started when it executes.

    Args:
        notebook: nbformat.NotebookNode, outputs are filled in.
        folder: Path the kernel starts in.
        timeout: int, seconds a cell may take.
        **options: further traits of NotebookClient.
    """
    client = NotebookClient(notebook, timeout=timeout, kernel_name="python3",
                            coalesce_streams=True, record_timing=False,
                            resources={"metadata": {"path": str(folder)}}, **options)
    # The default, TCP, could be listened to by other users of the machine, and says so.
    client.create_kernel_manager().transport = "ipc"
    return client
