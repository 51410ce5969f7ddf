"""Server side of the Open Inference Protocol (KServe's version 2): messages, and inference."""
