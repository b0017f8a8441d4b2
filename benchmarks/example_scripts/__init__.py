"""Train with the input files of DeePMD-kit's examples for a few steps, on all backends, and tell what happened."""
