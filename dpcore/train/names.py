"""Names of files that belong to other files."""

from pathlib import Path


def ema_path(path: Path) -> Path:
    """Return the path of what is written of averaged parameters: ``model_ema.ckpt`` for ``model.ckpt``."""
    return path.with_name(f"{path.stem}_ema{path.suffix}")
