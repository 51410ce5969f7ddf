"""Machine-learning backend for Label Studio, which asks it for predictions of its tasks (LABEL_STUDIO_URL)."""
