"""Run the comparison."""

import sys

from benchmarks.vs_deepmd.cli import main

sys.exit(main())
