"""The Open Inference Protocol (KServe's version 2) as we answer it: messages, and what becomes of them."""
