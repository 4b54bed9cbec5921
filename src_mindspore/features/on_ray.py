"""Extraction on Ray: shards as units of work, merged into the cache one process would write."""
import dataclasses
import functools
import json
from pathlib import Path

from easydict import EasyDict
from tqdm import tqdm

from src_mindspore.data.folder import find_data
from src_mindspore.errors import LabError
from src_mindspore.features.cache import key_of
from src_mindspore.features.extract import contract_of
from src_mindspore.features.of_config import extract_splits, prepare_backbone
from src_mindspore.features.shards import Shard, count_batches, extract_shard, merge
from src_mindspore.ray_units import run_units

# A shard is repeated from its last whole batch at worst, and costs a start of nothing; so many
# batches keep folders few. It decides the names of the shards: another number starts anew.
BATCHES_OF_A_SHARD = 64


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What one split needs: where its cache will be, by which engine, in how many shards."""

    key: str
    engine: str
    batches: int

    def missing(self, split, features_path):
        """Return (split, number, of, batches) of every shard that is not finished."""
        if (features_path / self.key / "manifest.json").exists():
            return []
        of = -(-self.batches // BATCHES_OF_A_SHARD)
        shards = [Shard(number, of) for number in range(1, of + 1)]
        return [(split, shard.number, of, len(shard.batches(self.batches))) for shard in shards
                if not (shard.folder(features_path, self.key) / "manifest.json").exists()]


def extract_on_ray(photos, config, address, actors=0, splits=("train", "val")):
    """Compute the caches of splits in actors on Ray; goes on where it was interrupted.

    Args:
        photos: Photos.
        config: the configuration; `engine` may be 'auto', it is chosen here for all machines.
        address: 'local' or 'host:port'.
        actors: int; 0: one a core of the cluster.
        splits: names of splits.

    Returns:
        dict from split name to FeatureCache.

    Raises:
        LabError: see `extract`, `merge` and `run_units`; or a machine sees other photos.
    """
    config = _for_everywhere(config)
    backbone = prepare_backbone(config)
    plans = extract_splits(photos, backbone, config, splits, how=_plan)
    units = [unit for split, plan in plans.items()
             for unit in plan.missing(split, Path(config.features_path))]
    if "train" in plans:
        config.engine = plans["train"].engine
    total = sum(plan.batches for plan in plans.values())
    todo = sum(batches for *_, batches in units)
    if units:
        photos = dataclasses.replace(photos, root=photos.root.absolute())
        with tqdm(total=total, initial=total - todo, unit="batch", desc="features",
                  mininterval=0.5) as bar:
            run_units("shards", list(range(len(units))), ShardExtractor,
                      (json.loads(json.dumps(config)), photos, units), address, actors,
                      lambda result: bar.update(result["batches"]))
    return extract_splits(photos, backbone, config, splits, how=merge)


def _for_everywhere(config):
    """Return the configuration with paths that hold on every machine."""
    config = EasyDict(config)
    config.dataset_path = str((find_data(config.dataset_path) or Path(config.dataset_path))
                              .absolute())
    for name in ("features_path", "results_path", "pretrained_ckpt"):
        config[name] = str(Path(config[name]).absolute())
    return config


def _plan(records, root, split, backbone, engine, views, features_path, *, dtype, pooling,
          workers):
    """Stand in for `extract`: say what it would compute."""
    _, what = contract_of(records, split, backbone, engine, views, dtype, pooling)
    return _Plan(key_of(what), engine.name, count_batches(records, views, engine))


class ShardExtractor:
    """What an actor does: it computes shards of the features.

    Args:
        config: dict, the configuration with absolute paths.
        photos: Photos, scanned once by who started the work.
        units: list of (split, number, of, batches).

    Raises:
        LabError: this machine does not see the photos or the weights.
    """

    def __init__(self, config, photos, units):
        from src_mindspore import runtime
        self.config, self.photos, self.units = EasyDict(config), photos, units
        if not Path(self.config.dataset_path).is_dir():
            raise LabError(f"There is no folder {self.config.dataset_path} here. Every machine has "
                           "to see the photos, the weights and features_path under the same path.")
        runtime.start(self.config.seed)
        self.backbone = prepare_backbone(self.config)

    def __call__(self, unit):
        split, number, of, batches = self.units[unit]
        how = functools.partial(extract_shard, shard=Shard(number, of), progress=False)
        extract_splits(self.photos, self.backbone, self.config, (split,), how=how)
        return {"batches": batches}
