"""An ensemble as one MindIR with a sidecar: photos in, the vote of its members out."""
import mindspore as ms
import numpy as np

from src_mindspore.backbones.export import export_network
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import preprocess
from src_mindspore.deploy.mindir import TOLERANCE, compare
from src_mindspore.ensemble.network import Ensemble, Stack, with_joint_input
from src_mindspore.files import sha256_of, write_json
from src_mindspore.model import load_mindir

CHECK_BATCH = 16


def export_ensemble(folder, vote, members, temperatures, combined, photos, answers, rows):
    """Write ensemble.mindir and its sidecar ensemble.json.

    Members that want other inputs than one another get them end to end in one vector, as the
    members of a fused backbone do (FusedSpec); an input that several want is there once.

    Args:
        folder: Path.
        vote: str.
        members: list of Member.
        temperatures: list of float.
        combined: Combined.
        photos: Photos; the export is compared on val.
        answers: (N, C) scores of `combined` for val.
        rows: list of tuples, the table as printed.

    Returns:
        str, what was written, for people.

    Raises:
        LabError: the exported file disagrees with the members combined.
    """
    contract = {"kind": "ensemble", "vote": vote, "batch_size": 1, "table": rows,
                "members": [{"run": m.name, "sha256": m.model.sha256, "temperature": t}
                            for m, t in zip(members, temperatures, strict=True)],
                "weights": None if combined.weights is None else list(combined.weights),
                "classes": members[0].model.classes.to_dict()}
    # Crops as in training are the same ones for all members, or there are none.
    trained = members[0].model.augmentation
    if any(m.model.augmentation != trained for m in members):
        trained = None
    networks, spec = with_joint_input([m.model.network for m in members],
                                      [m.model.preprocess for m in members])
    network = Stack(networks, temperatures, *combined.stack) if combined.stack else \
        Ensemble(networks, temperatures, combined.weights, hard=vote == "hard")
    path = folder / "ensemble.mindir"
    example = ms.Tensor(np.zeros((1, *spec.input_shape), np.float32))
    export_network(network.set_train(False), example, path, "MINDIR")
    write_json(folder / "ensemble.json", {
        **contract, "preprocess": spec.to_dict(), "input": spec.layout, "augmentation": trained,
        "head": {"activation": "None"}, "output": "logits", "temperature": 1.0,
        "mindir_sha256": sha256_of(path)})
    records = photos.splits["val"]

    def images():
        for first in range(0, len(records), CHECK_BATCH):
            yield np.stack([preprocess(load_rgb(photos.root / r.path), spec)
                            for r in records[first:first + CHECK_BATCH]])
    reference = answers if combined.stack else np.log(np.maximum(answers, 1e-12))
    return compare(load_mindir(path).outputs, images, reference, 10 * TOLERANCE, path)
