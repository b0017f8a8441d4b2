"""The modules beside this file hold what the tests are made of."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
