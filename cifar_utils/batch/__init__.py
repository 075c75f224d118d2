"""The notebooks in batch: planned, run side by side, here or on a cluster."""
