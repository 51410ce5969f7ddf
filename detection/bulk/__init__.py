"""A large base of photos through the detector: in order, all cores busy, in bounded memory, resumed after a kill."""
