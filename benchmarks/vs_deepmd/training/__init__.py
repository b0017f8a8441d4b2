"""Training, dpcore and DeePMD-kit in turns: ``python -m benchmarks.vs_deepmd.training --help``."""
