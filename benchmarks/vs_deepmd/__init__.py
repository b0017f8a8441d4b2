"""The speed of dpcore and of DeePMD-kit on the same models and frames, measured in turns.

`python -m benchmarks.vs_deepmd --peer-python PATH` in the root of a checkout, or `--no-peer`; the page
`docs/performance.md`, which it writes, explains what is measured and how.
"""
