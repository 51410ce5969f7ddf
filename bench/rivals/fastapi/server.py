"""The network behind a minimal FastAPI app: the body read on the loop, the steps in Starlette's threads.

Variants: OpenVINO's hint for latency, or for throughput.
"""

from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from bench.rivals.steps import Steps, arguments

chosen = arguments()
steps = Steps(chosen.prefix, chosen.edge, chosen.cache, {"PERFORMANCE_HINT": chosen.variant.upper()})
app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    """Answer 200: the network is compiled."""
    return {"status": "ok"}


@app.post("/predict")
async def predict(request: Request) -> dict[str, Any]:
    """Return the objects in the photo that is the body."""
    return await run_in_threadpool(steps, await request.body())


uvicorn.run(app, host="127.0.0.1", port=chosen.port, http="httptools", loop="uvloop", access_log=False)
