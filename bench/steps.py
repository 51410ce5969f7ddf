"""Steps of a detection around the network, by the service's own modules, without a service around them."""

from dataclasses import dataclass

from detection.inference.boxes import to_objects
from detection.inference.detector import KEPT_PROBABILITY, MAX_OBJECTS, SCALED_DECODING_MARGIN
from detection.inference.engines.base import Outputs
from detection.inference.families.registry import FAMILIES
from detection.inference.network import Network
from detection.inference.photos.decode import PhotoInfo, decode_photo
from detection.inference.photos.preprocess import Placement, fit_photo
from detection.inference.types import FoundObject, ImageArray

# Of a bare loop: with one thread a core, the core idles while its photo is passed to the network and back.
THREADS_A_CORE = 2
_MAX_PIXELS = 60_000_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """Photo ready for the network: (1, height, width, 3) uint8 RGB, and the placement of its boxes."""

    batch_rgb: ImageArray
    info: PhotoInfo
    placement: Placement


def prepare(data: bytes, network: Network) -> Prepared:
    """Decode and resize. Raises ImageDecodeError."""
    photo = decode_photo(data, max_pixels=_MAX_PIXELS, min_edge_px=SCALED_DECODING_MARGIN * network.edge)
    image_rgb, placement = fit_photo(photo.image_rgb, network)
    return Prepared(image_rgb[None], photo.info, placement)


def finish(outputs: Outputs, prepared: Prepared, network: Network) -> tuple[FoundObject, ...]:
    """Convert the outputs for a batch of one to objects."""
    one = {name: array[0] for name, array in outputs.items()}
    found = FAMILIES[network.family].decode(one, network, KEPT_PROBABILITY).first(MAX_OBJECTS)
    return to_objects(prepared.placement.to_photo(found), prepared.info.size_wh, network.classes)
