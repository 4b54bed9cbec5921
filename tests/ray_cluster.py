"""A Ray of two nodes on this machine, for tests that kill one: `python tests/ray_cluster.py`.

Prints one JSON line, address and process number of each node's raylet, and ends when stdin closes.
"""
import json
import sys

from ray.cluster_utils import Cluster

LEAN = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True,
        "num_cpus": 1, "object_store_memory": 80 * 2**20}

if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args=LEAN)
    second = cluster.add_node(**{k: LEAN[k] for k in ("num_cpus", "object_store_memory")})
    raylets = [node.all_processes["raylet"][0].process.pid for node in (cluster.head_node, second)]
    print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
    sys.stdin.read()
    cluster.shutdown()
