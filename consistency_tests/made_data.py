"""Data in memory, and data written where programs read it."""

import numpy as np

from dpcore.frames import Frame
from dpcore.train.data import Sample


class Made:
    """Frames in memory, as training sees them.

    Attributes:
        read: numbers of the frames that were asked for.
    """

    def __init__(self, path, frames, labels=None):
        self.path, self.nframes, self.read = path, len(frames), []
        self._frames, self._labels = frames, labels or [{} for _ in frames]
        self.atoms = np.array([len(frame.types) for frame in frames])

    def natoms(self, number):
        return int(self.atoms[number])

    def lacks(self, name):
        inputs = ("fparam", "aparam", "spin", "charge_spin")
        found = [
            getattr(f, name) is not None if name in inputs else name in known
            for f, known in zip(self._frames, self._labels, strict=True)
        ]
        return None if all(found) else self.path

    def samples(self, numbers):
        self.read += list(numbers)
        return [Sample(self._frames[n], self._labels[n]) for n in numbers]


def frames_of(coords, types, cell=None):
    """Return frames of the same atoms."""
    return [Frame(np.array(coord, float), np.array(types), cell) for coord in coords]


def write_system(folder, frames, names, labels):
    """Write frames of the same atoms in the npy layout.

    Args:
        folder: where to.
        frames: the frames.
        names: names of the types.
        labels: arrays with the frames first, by the names of their files.
    """
    part = folder / "set.000"
    part.mkdir(parents=True)
    np.savetxt(folder / "type.raw", frames[0].types, fmt="%d")
    (folder / "type_map.raw").write_text("\n".join(names))
    arrays = {"coord": [frame.coord for frame in frames], **labels}
    if frames[0].cell is None:
        (folder / "nopbc").touch()
    else:
        arrays["box"] = [frame.cell for frame in frames]
    for name, values in arrays.items():
        np.save(part / f"{name}.npy", np.reshape(values, (len(frames), -1)))
