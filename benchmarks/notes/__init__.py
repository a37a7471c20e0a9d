"""Experiments about the notes' claims: what the benchmarks of that part calculate, with torch."""
