"""Training sets: frozen, named versions of reviewed photos, split for training and for measuring."""
