"""The benchmark suite: what to measure, how, and where it is written down.

A benchmark is one file; naming it here makes the runner, the store and the site know it.
"""

import os

OF_NOX = ".nox/torch/" + ("Scripts/python.exe" if os.name == "nt" else "bin/python")
"""The Python that `nox -s bench` makes."""

FILES = (
    "cost",
    "coverage",
    "latency",
    "retimed",
    "accuracy",
    "widths",
    "nets",
    "simulation",
    "overhead",
    "speed",
    "position",
    "throughput",
    "ladder",
    "rates",
    "paper",
    "effects",
    "networks",
    "breakdown",
    "clock",
    "allocation",
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
    "headroom",
    "floors",
    "segmentation",
    "imagenet",
    "controls",
    "learned",
    "task_controls",
    "norm_control",
    "ablation",
)
