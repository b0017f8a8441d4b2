"""Pictures of training and of tests; they need Matplotlib."""
