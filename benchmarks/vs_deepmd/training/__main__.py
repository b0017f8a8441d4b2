"""Run the comparison of training."""

import sys

from benchmarks.vs_deepmd.training.cli import main

sys.exit(main())
