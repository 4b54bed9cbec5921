"""Extraction on Ray: shards as units of work, merged into the cache one process would write."""
import dataclasses
import functools
import json
from pathlib import Path

from easydict import EasyDict
from tqdm import tqdm

from src_mindspore.backbones.mindcv_bridge import weights_found
from src_mindspore.data.folder import find_data
from src_mindspore.errors import LabError
from src_mindspore.features.cache import key_of
from src_mindspore.features.extract import contract_of
from src_mindspore.features.fused import JoinedCache
from src_mindspore.features.of_config import extract_splits, member_configs, prepare_backbone
from src_mindspore.features.shards import Shard, count_batches, extract_shard, merge
from src_mindspore.ray_units import run_units

# A shard is repeated from its last whole batch at worst, and costs a start of nothing; so many
# batches keep folders few. It decides the names of the shards: another number starts anew.
BATCHES_OF_A_SHARD = 64
# An actor that Ray took for dead, because its machine did not answer, may still be computing the
# shard that another was given. It ends when it notices, or has finished the shard.
ORPHAN_SECONDS = 600


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
        dict from split name to FeatureCache, of several backbones to JoinedCache.

    Raises:
        LabError: see `extract`, `merge` and `run_units`; or a machine sees other photos.
    """
    configs = configs_everywhere(config)
    backbones = {member: prepare_backbone(alone) for member, alone in configs.items()}
    units, total = [], 0
    for member, alone in configs.items():
        plans = extract_splits(photos, backbones[member], alone, splits, how=_plan)
        if "train" in plans:
            alone.engine = plans["train"].engine
        total += sum(plan.batches for plan in plans.values())
        units += [(member, *unit) for split, plan in plans.items()
                  for unit in plan.missing(split, Path(alone.features_path))]
    todo = sum(batches for *_, batches in units)
    if units:
        photos = dataclasses.replace(photos, root=photos.root.absolute())
        with tqdm(total=total, initial=total - todo, unit="batch", desc="features",
                  mininterval=0.5) as bar:
            run_units("shards", list(range(len(units))), ShardExtractor,
                      (json.loads(json.dumps(configs)), photos, units), address, actors,
                      lambda result: bar.update(result["batches"]))
    caches = {member: extract_splits(photos, backbones[member], alone, splits, how=merge)
              for member, alone in configs.items()}
    if not config.backbones:
        return caches[config.backbone]
    return {split: JoinedCache({member: cache[split] for member, cache in caches.items()})
            for split in splits}


def configs_everywhere(config):
    """Return the configuration that each backbone has alone, with paths that hold on every machine:
    a dict from its name."""
    configs = {member: EasyDict(alone) for member, alone in member_configs(config).items()}
    data = str((find_data(config.dataset_path) or Path(config.dataset_path)).absolute())
    for alone in configs.values():
        alone.dataset_path = data
        if not alone.pretrained_ckpt and "mindcv:" in alone.backbone:
            # Looked for here: elsewhere the working directory is another one.
            alone.pretrained_ckpt = weights_found(alone.backbone.rpartition("mindcv:")[2])
        for name in ("features_path", "results_path", "pretrained_ckpt"):
            if alone[name]:
                alone[name] = str(Path(alone[name]).absolute())
    return configs


def _plan(records, root, split, backbone, engine, views, features_path, *, dtype, pooling,
          workers):
    """Stand in for `extract`: say what it would compute."""
    _, what = contract_of(records, split, backbone, engine, views, dtype, pooling)
    return _Plan(key_of(what), engine.name, count_batches(records, views, engine))


class ShardExtractor:
    """What an actor does: it computes shards of the features.

    Args:
        configs: dict from member to dict, its configuration with absolute paths.
        photos: Photos, scanned once by who started the work.
        units: list of (member, split, number, of, batches).

    Raises:
        LabError: this machine does not see the photos or the weights.
    """

    def __init__(self, configs, photos, units):
        from src_mindspore import runtime
        self.configs = {member: EasyDict(alone) for member, alone in configs.items()}
        self.photos, self.units = photos, units
        common = next(iter(self.configs.values()))
        if not Path(common.dataset_path).is_dir():
            raise LabError(f"There is no folder {common.dataset_path} here. Every machine has to "
                           "see the photos, the weights and features_path under the same path.")
        runtime.start(common.seed)
        self.backbones = {member: prepare_backbone(alone)
                          for member, alone in self.configs.items()}

    def __call__(self, unit):
        member, split, number, of, batches = self.units[unit]
        how = functools.partial(extract_shard, shard=Shard(number, of), progress=False,
                                patience=ORPHAN_SECONDS)
        extract_splits(self.photos, self.backbones[member], self.configs[member], (split,),
                       how=how)
        return {"batches": batches}
