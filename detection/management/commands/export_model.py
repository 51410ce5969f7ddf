"""`manage.py export_model`: writes the model in the form that Triton or OpenVINO Model Server load."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from detection.conf import current
from detection.inference.errors import InferenceError
from detection.inference.model_files import ModelSource, open_model
from detection.inference.model_repository import SERVERS, has_free_batch, next_steps, write_repository
from detection.inference.precision.int8_files import quantized_network
from detection.program import PROGRAM
from detection.registry import catalogue


class Command(BaseCommand):
    """Command with exit code 0: the repository is written; 1: an error on standard error says what to do."""

    help = (
        "Write the model that a server answers with (the active version, else MODEL_PREFIX's), or another one, as a "
        "model repository of Triton or OpenVINO Model Server."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR", help="the repository; several models may share it")
        parser.add_argument("--for", dest="server", required=True, choices=SERVERS, help="who is to load it")
        parser.add_argument(
            "--model",
            type=Path,
            metavar="FOLDER",
            help="a folder with a model card (default: the active version, else MODEL_PREFIX's model)",
        )
        parser.add_argument("--int8", action="store_true", help=f"its int8 model (`{PROGRAM} quantize` makes it)")
        parser.add_argument("--replace", action="store_true", help="take the place of the model that is there")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        config = current.config()
        folder, server = options["folder"], options["server"]
        try:
            source = catalogue.default_source() if options["model"] is None else ModelSource(options["model"])
            network = open_model(source, config.cache_dir)
            if options["int8"]:
                network = quantized_network(network)
            written = write_repository(network, folder, server, replace=options["replace"])
            free = has_free_batch(network)
        except InferenceError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{folder} cannot be written ({error.strerror}). Name another folder.") from error
        batch = "any number of photos" if free else "one photo"
        self.stdout.write(
            f"Wrote {network.full_name} to {written}: {batch} in a request.\n{next_steps(network, folder, server)}"
        )
