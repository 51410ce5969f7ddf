"""Reads frames from video files, by interval or by change, in a process of their own."""
