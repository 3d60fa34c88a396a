"""Recording: the attention calls of somebody's script, written as a workload."""
