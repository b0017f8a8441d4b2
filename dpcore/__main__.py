"""``python -m dpcore``: the command line program."""

import sys

from dpcore.cli import main

sys.exit(main())
