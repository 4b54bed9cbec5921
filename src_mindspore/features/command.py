"""The command line of extraction: `python -m src_mindspore.features.extract`."""
import functools

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, parse_arguments
from src_mindspore.errors import LabError
from src_mindspore.features.shards import merge, parse_shard
from src_mindspore.ray_units import add_ray_flags, check_ray_flags


def main(argv):
    """Compute the features of train and val, a shard of them, or merge shards."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--shard", metavar="i/n")
    parser.add_argument("--merge", action="store_true")
    add_ray_flags(parser)
    args, rest = parser.parse_known_args(argv)
    config = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, rest, DESCRIPTION)
    if args.shard and args.merge:
        raise LabError("--shard computes a part and --merge joins all parts; give one of them.")
    if args.ray and (args.shard or args.merge):
        raise LabError("--ray divides the work and merges it by itself; leave --shard and --merge "
                       "out.")
    check_ray_flags(args)
    shard = parse_shard(args.shard) if args.shard else None
    runtime.start(config.seed)
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.features.extract import extract
    from src_mindspore.features.of_config import extract_splits, prepare_backbone
    from src_mindspore.features.shards import extract_shard

    how = merge if args.merge else \
        functools.partial(extract_shard, shard=shard) if shard else extract
    photos = prepare_photos(config)
    if args.ray:
        from src_mindspore.features.on_ray import extract_on_ray
        extract_on_ray(photos, config, args.ray, args.actors)
        return
    extract_splits(photos, prepare_backbone(config), config, how=how)


DESCRIPTION = """Compute the features that train_head.py learns from.

    python -m src_mindspore.features.extract                  # all, in this process
    python -m src_mindspore.features.extract --shard 1/4      # a quarter; then 2/4, 3/4, 4/4
    python -m src_mindspore.features.extract --merge          # verified and made one cache
    python -m src_mindspore.features.extract --ray            # in a process a core, on Ray
    python -m src_mindspore.features.extract --ray 10.0.0.1:6379 --actors 8

flags of this tool: --shard i/n, --merge, --ray [host:port], --actors N; and every key below. All
shards and the merge need the same keys; name the engine (--engine onnxruntime) where the machines
differ, as auto may choose another one on each."""
