"""A Ray cluster on this machine, by Ray's own utility: `kill` on standard input kills one of its nodes.

Run in the environment of `make cluster`, with the cores of each node (1 1 1: three nodes of one). Prints its address,
then a line for each thing done.
"""

import sys

from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=int(cores)) for cores in sys.argv[1:]]
cluster.wait_for_nodes(timeout=600)
print(cluster.address, flush=True)
for line in sys.stdin:
    if line.strip() == "kill":
        cluster.remove_node(nodes.pop(), allow_graceful=False)
        print("killed", flush=True)
cluster.shutdown()
