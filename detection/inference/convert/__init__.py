"""Turns MXNet checkpoints into ONNX: `conversion.convert` in memory, `cache.prepare_network` on disk."""
