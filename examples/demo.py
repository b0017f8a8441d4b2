"""Convert the water model to every file format and back, and prove that all backends agree on it.

Run by `make demo`; writes everything into the folder `demo`.
"""

import sys
from pathlib import Path

from dpcore.cli import main

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "examples" / "water" / "model.dp"
DATA = ROOT / "examples" / "water" / "data"
OUTPUT = ROOT / "demo"

COMPILED = ("pt2", "savedmodel", "jaxexport")


def run(*arguments: str | Path) -> None:
    """Run one `dp` command, as a user would type it."""
    words = [str(a) for a in arguments]
    print("\n$ dp " + " ".join(w.replace(f"{ROOT}/", "") for w in words), flush=True)
    if code := main(words):
        sys.exit(code)


def demo() -> None:
    """Go the whole road once."""
    OUTPUT.mkdir(exist_ok=True)
    for suffix in COMPILED:
        run("convert-backend", MODEL, OUTPUT / f"model.{suffix}")
        run("convert-backend", OUTPUT / f"model.{suffix}", OUTPUT / f"from_{suffix}.dp")
        run("test", "-m", OUTPUT / f"model.{suffix}", "-s", DATA / "bulk_valid", "-n", "10")
    run("parity", MODEL, "-s", DATA, "--backends", "all", "--report", OUTPUT / "parity.html")
    single = ("--dtype", "float32", "--rtol", "1e-5")
    run("parity", MODEL, "-s", DATA, "--backends", "all", *single)
    print(f"\nThe report is {OUTPUT / 'parity.html'}")


if __name__ == "__main__":
    demo()
