"""Fuzzing: `mutate.py` (mutated captures, compiled library) and `run.py` (coverage-guided, interpreted kernels)."""
