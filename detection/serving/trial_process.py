"""Process in which a model is tried, `python -m detection.serving.trial_process`: what a model breaks ends with it.

Reads a pickled `Trial` from standard input and writes its outcome to standard output as JSON: `{"beside": [...]}`,
`{"error": {...}}`, or `{"memory": true}` where there was not enough. What the engine prints goes to standard error.
It imports no Django, because it starts before each change of the model.
"""

import faulthandler
import json
import os
import pickle
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.errors import InferenceError
from detection.inference.messages import CodedError
from detection.inference.model_files import open_model
from detection.inference.precision.choice import files_beside
from detection.inference.process_limits import limit_this_process

# The parent ends a process that is too slow; this is for one whose parent has gone.
_ORPHAN_S = 10.0
# C++, ONNX Runtime, CUDA, the C library.
_NO_MEMORY = re.compile("bad_alloc|failed to allocate memory|out of memory|cannot allocate memory", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trial:
    """Task of a trial: a model, with these options, on the file of a photo.

    photo: None where the model is only opened, to find the files to copy along with it. timeout_s: when to give up.
    """

    options: DetectorOptions
    photo: Path | None
    timeout_s: float


def run(trial: Trial) -> dict[str, Any]:
    """Return the outcome of a trial: the names of the files beside the model, or the error."""
    try:
        return {"beside": _beside(trial.options) if trial.photo is None else _try(trial.options, trial.photo)}
    except MemoryError:
        return {"memory": True}
    except InferenceError as error:
        if _NO_MEMORY.search(str(error)):
            return {"memory": True}
        return {"error": _described(error)}
    except OSError as error:
        return {"error": {"class": "CheckpointError", "text": f"The model cannot be read ({error}).", "code": ""}}


def _beside(options: DetectorOptions) -> list[str]:
    return [path.name for path in files_beside(open_model(options.source, options.cache_dir))]


def _try(options: DetectorOptions, photo: Path) -> list[str]:
    """Load, warm and check the model, and let it answer a photo, as callers' photos are answered."""
    data = photo.read_bytes()
    detector = load_detector(options)
    detector.run_sanity_check(data)
    detector.detect(data)
    detector.close()
    return []


def _described(error: CodedError) -> dict[str, Any]:
    return {"class": type(error).__name__, "text": str(error), "code": error.code, "params": dict(error.params)}


def _prepare(timeout_s: float) -> None:
    """Make a crash leave its stack and no core file, and this process the first to go where memory runs out."""
    faulthandler.enable()
    faulthandler.dump_traceback_later(timeout_s + _ORPHAN_S, exit=True)
    limit_this_process()


def main() -> None:
    """Try the model of standard input."""
    trial: Trial = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    answer = os.dup(1)
    os.dup2(2, 1)
    _prepare(trial.timeout_s)
    os.write(answer, json.dumps(run(trial)).encode())
    # Without the destructors of engines: they are no part of serving.
    os._exit(0)


if __name__ == "__main__":
    main()
