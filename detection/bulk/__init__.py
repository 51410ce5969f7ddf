"""Bulk detection in a large base of photos: in order, all cores busy, in bounded memory, resumed after a kill."""
