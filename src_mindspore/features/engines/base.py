"""What every engine is, and what those have in common that run the exported network."""
import abc
from importlib import metadata

import mindspore as ms
import numpy as np

from src_mindspore.backbones.export import export_network


class Engine(abc.ABC):
    """Turns batches of preprocessed photos into features.

    Attributes:
        name: str, for the cache key and for people.
        precision: 'float32' or 'bf16', what it computes in; its answers are float32.
        revision: int, raised when its answers change in any bit; part of the cache key from 2 on.
        batch_size: int, photos of a full batch; shorter ones are padded to it, so that one
            compiled graph serves all.
    """

    name: str
    precision = "float32"
    revision = 1

    def __init__(self, batch_size):
        self.batch_size = batch_size

    def __call__(self, images):
        """Compute features.

        Args:
            images: (N, 3, H, W) float32, N <= batch_size.

        Returns:
            (N, 2 * channels) or (N, channels, H/32, W/32) float32.
        """
        return self.infer(padded(images, self.batch_size))[:len(images)]

    @abc.abstractmethod
    def infer(self, images):
        """Compute the features of exactly batch_size images."""


class NetworkEngine(Engine):
    """A network in MindSpore: what other engines are exported from and compared with.

    Subclasses have a `network`: Cell (N, *input_shape) -> (N, ...) in evaluation mode.

    Args:
        identity: str, the same for the same network: its export is found again under it.
        input_shape: tuple, of one photo.
        batch_size: int.
    """

    name = "mindspore"

    def __init__(self, identity, input_shape, batch_size):
        super().__init__(batch_size)
        self.identity = identity
        self.input_shape = tuple(input_shape)

    def infer(self, images):
        """Compute the answers to exactly batch_size images."""
        return self.network(ms.Tensor(images)).asnumpy()


class ExportedEngine(Engine):
    """The reference's own network, exported by MindSpore to ONNX and run by another library.

    Args:
        reference: NetworkEngine.
        path: Path of the ONNX file; exported when it is absent.
        precision: one of the class's `precisions`.

    Raises:
        ImportError: the library is not installed.
    """

    package: str  # what pip calls it
    precisions = ("float32",)

    def __init__(self, reference, path, precision="float32"):
        super().__init__(reference.batch_size)
        self.precision = precision
        if not path.exists():
            example = ms.Tensor(np.zeros((self.batch_size, *reference.input_shape), np.float32))
            export_network(reference.network, example, path, "ONNX")
        self.load(path)

    @abc.abstractmethod
    def load(self, path):
        """Make the network at `path` ready to be asked."""

    @classmethod
    def version(cls):
        """Return the version of the library, None where it is not installed."""
        try:
            return metadata.version(cls.package)
        except metadata.PackageNotFoundError:
            return None


def padded(images, batch_size):
    """Return (batch_size, ...) images, zeros behind the given ones."""
    missing = batch_size - len(images)
    if not missing:
        return images
    return np.concatenate((images, np.zeros((missing, *images.shape[1:]), np.float32)))
