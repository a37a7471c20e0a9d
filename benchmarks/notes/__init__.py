"""Experiments about the notes' claims: what the benchmarks of that part calculate.

`claimed` and `grids` take no torch, so that the site can read them.
"""
