"""Webhooks: operators' addresses that are told of detections, drift, activations and overload."""
