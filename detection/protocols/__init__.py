"""Addresses that clients of other servers know: Hugging Face, PhotoPrism, Roboflow, Label Studio, DeepStack,
CodeProject.AI.

Each package translates a request to the photo's usual way (`predict/`) and its answer to the client's JSON. Access,
throttles, history and metrics are those of `/predict`.
"""

# Addresses below these take keys as `api_key` in the query, a form or JSON (`asgi/api_keys.py`).
PREFIXES = ("/api/hf/", "/api/labelstudio/", "/api/v1/vision/", "/v1/", "/infer/", "/model/", "/info")
# Those of them that take photos in base64, whose bodies are larger than the photos.
BASE64_PREFIXES = ("/api/hf/", "/api/labelstudio/", "/api/v1/vision/", "/infer/")
