"""Model files: dpcore's own, DeePMD-kit's, and the documents inside compiled ones."""
