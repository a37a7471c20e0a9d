"""The benchmark suite: what to measure, how, and where it is written down.

A benchmark is one file; naming it here makes the runner, the store and the site know it.
"""

FILES = (
    "cost",
    "coverage",
    "latency",
    "accuracy",
    "widths",
    "nets",
    "simulation",
    "overhead",
    "speed",
    "position",
    "throughput",
    "ladder",
    "paper",
    "effects",
    "networks",
    "breakdown",
    "clock",
    "memory",
    "counting",
    "spiral",
    "activations",
    "softmax",
    "calibration",
    "tensors",
    "properties",
    "trajectories",
    "gradients",
    "optimisers",
    "alexnet",
    "depth",
    "mechanism",
    "segmentation",
)
