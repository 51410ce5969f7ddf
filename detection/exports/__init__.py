"""Exports of detections as training data and tables: any filter or batch, with or without photos, streamed in bounded
memory.
"""
