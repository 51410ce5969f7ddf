"""Object detection of Hugging Face's inference clients: Python's `InferenceClient`, and `@huggingface/inference`."""
