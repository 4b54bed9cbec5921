"""Train a whole network: photos in; a chosen, exported and explained model out.

    python train_network.py                                # fine-tune the pretrained backbone
    python train_network.py --unfreeze last:4 --bn train   # its last four blocks
    python train_network.py --preset cnn_scratch           # ten layers from scratch
    python train_network.py --epochs 20 --lr_max 0.0005    # any key of config.py is a flag
    msrun --worker_num=2 --local_worker_num=2 train_network.py      # two processes, one network

The street: photos -> preprocess -> network -> best checkpoint -> report and MindIR. Interrupted,
the same command goes on where it stopped.
"""
import sys

from config import KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import parse_arguments
from src_mindspore.errors import require_package, run_as_script
from train_head import Stopwatch


def main(argv):
    """Run the street from photos to report."""
    config = parse_arguments(KEYS, PRESETS, "finetune", argv, __doc__)
    if config.tensorboard:
        require_package("tensorboardX", "--tensorboard true")
    # Imported only now, so that --help and mistakes in a flag answer at once.
    runtime.start(config.seed)
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.evaluation.run_report import report_run
    from src_mindspore.parallel import join_workers
    from src_mindspore.training.export_run import choose_and_export
    from src_mindspore.training.network_of_config import (
        inputs_of,
        prepare_network,
        read_splits,
        save_raw,
        train,
    )
    from src_mindspore.training.run import Run

    seconds = Stopwatch()
    workers = join_workers()

    # 1. Photos: found, scanned, split, refused if val leaks into train.
    photos = prepare_photos(config)
    print(photos.describe())
    seconds.lap("scan")

    # 2. The network: pretrained blocks and a new head, or ten layers from scratch.
    network, backbone, spec = prepare_network(config, len(photos.classes))
    sources, splits = read_splits(photos, backbone, config)
    seconds.lap("network")

    # 3. Training: a line a validation. Of several processes the first one writes.
    if not workers.is_first:
        train(None, network, sources, config, workers)
        return
    with Run(config, inputs_of(photos, backbone, splits), "network") as run:
        print(f"run: {run.folder}{' (going on)' if run.resumed else ''}")
        trainer = train(run, network, sources, config, workers)
        seconds.lap("training")

        # 4. The best epoch by the rule, exported and checked; the raw weights beside it.
        chosen = choose_and_export(run, trainer, spec, backbone, photos, splits, config)
        save_raw(run, chosen, trainer, spec, backbone, photos, splits)
        seconds.lap("export")

        # 5. What it can do, where it fails, how to repeat it.
        report_run(run, chosen, trainer, spec, backbone, photos, splits, config, seconds.laps)


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
