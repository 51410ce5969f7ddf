"""One target under atheris: `python -m tests.fuzz.guided TARGET FOLDER [options of libFuzzer]`.

libFuzzer looks for inputs that take new branches of our code. An error that is not the target's own ends the process,
as do its limits of time and memory; the input is then in the folder.
"""

import logging
import sys
import tempfile
from pathlib import Path

import atheris

# Instrumented while they are imported; Pillow, ONNX and NumPy are not ours to search.
with atheris.instrument_imports(include=["detection"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Write the good files as the start of the search, and search."""
    name, folder, *options = sys.argv[1:]
    target = TARGETS[name]
    logging.disable(logging.CRITICAL)
    corpus = Path(folder) / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(target.files()):
        (corpus / f"good-{number}").write_bytes(content)
    if target.tokens:
        tokens = Path(folder) / "tokens"
        tokens.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens), encoding="ascii")
        options.append(f"-dict={tokens}")
    with tempfile.TemporaryDirectory(dir=folder) as work:
        read = target.prepare(Path(work))

        def one_input(content: bytes) -> None:
            try:
                read(content)
            except target.errors:
                return

        atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={folder}/found-", *options], one_input)
        atheris.Fuzz()


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


if __name__ == "__main__":
    main()
