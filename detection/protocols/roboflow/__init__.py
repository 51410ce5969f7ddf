"""Object detection of Roboflow's inference server, for its `inference-sdk` and supervision's `from_inference`."""
