"""Send photos as a camera sends frames and print their objects: live_client.py ws://127.0.0.1:8080/ws/live *.jpg"""

import json
import sys
from pathlib import Path

from websockets.sync.client import connect

IN_FLIGHT = 2  # one frame is worked on while the next one travels

with connect(sys.argv[1], compression=None) as socket:  # photos are compressed already
    frames = sys.argv[2:]
    settled = 0
    for sent, path in enumerate(frames, start=1):
        socket.send(Path(path).read_bytes())
        while sent - settled >= IN_FLIGHT or (sent == len(frames) and settled < sent):
            answer = json.loads(socket.recv())
            settled = answer["frame"]  # older frames were answered before, or dropped for this one
            objects = [f"{found['objectClass']} {found['probability']:.3f}" for found in answer.get("prediction", [])]
            print(f"frame {settled}:", answer.get("error") or ", ".join(objects) or "nothing")
