"""Review queues: each decides which photos come next, in which order, and why."""
