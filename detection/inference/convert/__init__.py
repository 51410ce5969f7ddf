"""Turns MXNet checkpoints into ONNX: `conversion.convert` in memory, `cache.prepare_network` on disk.

Exports of GluonCV are converted by `gluoncv.convert_export`."""
