"""One large frame takes little memory."""

import subprocess
import sys

GIBIBYTES = 8

CODE = """
import resource
import numpy as np
from dpcore.backend.reference import adapter
from dpcore.formats import Document
from dpcore.infer import DeepPot
from dpcore.settings import build_model

descriptor = {"type": "se_e2_a", "sel": [46, 92], "rcut": 6.0, "neuron": [25, 50, 100], "axis_neuron": 16, "seed": 1}
fitting = {"neuron": [240, 240, 240], "seed": 1}
model = build_model({"type_map": ["O", "H"], "descriptor": descriptor, "fitting_net": fitting})
rng = np.random.default_rng(0)
cells = np.stack(np.meshgrid(*[np.arange(32)] * 3), axis=-1).reshape(-1, 1, 3) * 3.1
water = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
coord = (cells + water + rng.normal(0.0, 0.05, (len(cells), 3, 3))).reshape(-1, 3)
types = np.tile([0, 1, 1], len(cells))
assert len(types) == 98_304
potential = DeepPot.from_document(Document(model), adapter)
energy, force, _ = potential.eval(coord[None], 32 * 3.1 * np.eye(3), types)
assert np.isfinite(force).all() and np.abs(force).max() > 1e-6
assert np.abs(force.sum(axis=1)).max() < 1e-8
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_98304_atoms():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < GIBIBYTES * 2**30
