"""Makes MXNet checkpoints without MXNet: symbol files, params files of every version, and whole networks."""

import ast
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.inference.mxnet.params import FILE_MAGIC, MAGIC_V1, MAGIC_V2, MAGIC_V3

REPOSITORY = Path(__file__).resolve().parents[2]
EMBEDDED_PREFIX = REPOSITORY / "models" / "mobilenet_ssd_voc" / "mobilenet_ssd_voc"
EMBEDDED_EDGE = 300
SAMPLE_PHOTO = REPOSITORY / "static" / "detection" / "samples" / "chelsea.jpg"
RESNET50_SYMBOL = REPOSITORY.parent / "shared" / "models" / "resnet50_ssd" / "resnet50_ssd_model-symbol.json"
RESNET50_EDGE = 512
NO_RESNET50 = "needs the folder shared/models/resnet50_ssd beside the repository"

# Factors by which a convolution enlarges the variance: residual branches little, or the sums grow from layer to layer;
# predictions as much as probabilities and boxes of all sizes need.
_RESNET50_GAINS = {"_conv3": 0.3, "cls_pred": 0.1, "loc_pred": 0.03}

Arrays = Mapping[str, NDArray[Any]]
TYPE_FLAGS = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6, "bool": 7}
PARAMS_VERSIONS = ("v0", "v1", "v2", "v3")


def params_bytes(arrays: Arrays, version: str = "v2") -> bytes:
    """Return the content of a params file; the names are with `arg:` or `aux:`, the versions those of
    PARAMS_VERSIONS.
    """
    parts = [struct.pack("<QQQ", FILE_MAGIC, 0, len(arrays))]
    parts += [array_bytes(array, version) for array in arrays.values()]
    parts.append(struct.pack("<Q", len(arrays)))
    for name in arrays:
        parts.append(struct.pack("<Q", len(name.encode())) + name.encode())
    return b"".join(parts)


def array_bytes(array: NDArray[Any], version: str) -> bytes:
    """Return one array of a params file, saved from the CPU."""
    ndim, dims = array.ndim, array.shape
    head = {
        "v0": struct.pack(f"<I{ndim}I", ndim, *dims),
        "v1": struct.pack(f"<Ii{ndim}q", MAGIC_V1, ndim, *dims),
        "v2": struct.pack(f"<Iii{ndim}q", MAGIC_V2, 0, ndim, *dims),
        "v3": struct.pack(f"<Iii{ndim}q", MAGIC_V3, 0, ndim, *dims),
    }[version]
    return head + struct.pack("<iii", 1, 0, TYPE_FLAGS[str(array.dtype)]) + array.tobytes()


@dataclass
class Net:
    """Network under construction; `add` and `variable` return the number of the new node."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    seed: int = 0

    def variable(self, name: str, shape: Sequence[int] | None = None, kind: str = "arg", *, scale: float = 1.0) -> int:
        """Add a variable; with a shape it gets seeded random numbers of that scale as its weights."""
        if shape is not None:
            random = np.random.default_rng([self.seed, len(self.arrays)])
            self.arrays[f"{kind}:{name}"] = (random.standard_normal(shape) * scale).astype(np.float32)
        return self._append({"op": "null", "name": name, "inputs": []})

    def add(self, operator: str, name: str, inputs: Sequence[int | tuple[int, int]], **attributes: object) -> int:
        """Add an operator that reads the first output of each of `inputs`, or for a pair the output of that number."""
        sources = [(each, 0) if isinstance(each, int) else each for each in inputs]
        node = {"op": operator, "name": name, "inputs": [[*source, 0] for source in sources]}
        return self._append(
            node | ({"attrs": {key: str(value) for key, value in attributes.items()}} if attributes else {})
        )

    def convolution(
        self, name: str, data: int, channels: int, filters: int, *, kernel: int = 3, stride: int = 1
    ) -> int:
        """Add a convolution with weights that keep the scale of the numbers about the same."""
        weight = self.variable(
            f"{name}_weight", (filters, channels, kernel, kernel), scale=(2 / (channels * kernel * kernel)) ** 0.5
        )
        bias = self.variable(f"{name}_bias", (filters,), scale=0.1)
        sizes = {"kernel": (kernel, kernel), "pad": (kernel // 2, kernel // 2), "stride": (stride, stride)}
        return self.add("Convolution", name, [data, weight, bias], num_filter=filters, **sizes)

    def batch_norm(self, name: str, data: int, channels: int, **attributes: object) -> int:
        """Add a batch normalisation with non-trivial running averages."""
        gamma, beta = (self.variable(f"{name}_{part}", (channels,)) for part in ("gamma", "beta"))
        mean, variance = (self.variable(f"{name}_moving_{part}", (channels,), "aux") for part in ("mean", "var"))
        self.arrays[f"aux:{name}_moving_var"] = np.abs(self.arrays[f"aux:{name}_moving_var"]) + np.float32(0.5)
        return self.add("BatchNorm", name, [data, gamma, beta, mean, variance], **attributes)

    def document(self, heads: Sequence[int] | None = None, spelling: str = "attrs") -> dict[str, Any]:
        """Return the JSON of the symbol file, with attributes in the requested spelling; the last node is the head."""
        nodes = [{spelling if key == "attrs" else key: value for key, value in node.items()} for node in self.nodes]
        chosen = [len(nodes) - 1] if heads is None else heads
        variables = [index for index, node in enumerate(nodes) if node["op"] == "null"]
        return {"nodes": nodes, "arg_nodes": variables, "heads": [[index, 0, 0] for index in chosen]}

    def _append(self, node: dict[str, Any]) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1


def write_checkpoint(
    folder: Path,
    document: Mapping[str, Any],
    arrays: Arrays,
    *,
    classes: Sequence[str] = ("cat", "dog"),
    version: str = "v2",
    name: str = "net",
) -> Path:
    """Write the three files of a checkpoint of epoch 0 and return its prefix."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-symbol.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / f"{name}-0000.params").write_bytes(params_bytes(arrays, version))
    (folder / "synset.txt").write_text("".join(f"{line}\n" for line in classes), encoding="utf-8")
    return folder / name


def tiny_ssd(*, classes: int = 2, detection: Mapping[str, object] | None = None) -> Net:
    """Build an SSD of two feature maps, with all features of the real ones; for photos of about 32 pixels.

    detection: other attributes of its MultiBoxDetection.
    """
    net = Net()
    normal = net.batch_norm("bn_data", net.variable("data"), 3, fix_gamma=False, eps=2e-5)
    net.arrays["aux:bn_data_moving_mean"][:] = 127
    net.arrays["aux:bn_data_moving_var"][:] = 60.0**2
    first = net.add("Activation", "relu0", [net.convolution("conv0", normal, 3, 8, stride=4)], act_type="relu")
    second = net.add("Activation", "relu1", [net.convolution("conv1", first, 8, 8, stride=2)], act_type="relu")
    heads: dict[str, list[int]] = {"cls": [], "loc": [], "anchors": []}
    for index, (feature, sizes) in enumerate([(first, "(0.2, 0.3)"), (second, "(0.6,)")]):
        count = sizes.count(".") + 1
        heads["cls"].append(_prediction(net, f"cls{index}", feature, count * (classes + 1)))
        heads["loc"].append(_prediction(net, f"loc{index}", feature, count * 4))
        prior = net.add("_contrib_MultiBoxPrior", f"prior{index}", [feature], sizes=sizes, ratios="(1.0, 2.0)")
        heads["anchors"].append(net.add("Flatten", f"prior{index}_flat", [prior]))
    joined = {name: net.add("Concat", f"{name}_all", parts, num_args=2, dim=1) for name, parts in heads.items()}
    rows = net.add("Reshape", "cls_rows", [joined["cls"]], shape=(0, -1, classes + 1))
    logits = net.add("transpose", "cls_columns", [rows], axes=(0, 2, 1))
    probabilities = net.add("SoftmaxActivation", "cls_prob", [logits], mode="channel")
    anchors = net.add("Reshape", "anchors", [joined["anchors"]], shape=(0, -1, 4))
    attributes: dict[str, object] = {"nms_threshold": 0.45, "nms_topk": 100, "variances": "(0.1, 0.1, 0.2, 0.2)"}
    net.add(
        "_contrib_MultiBoxDetection",
        "detection",
        [probabilities, joined["loc"], anchors],
        **(attributes | dict(detection or {})),
    )
    return net


def _prediction(net: Net, name: str, feature: int, filters: int) -> int:
    convolution = net.convolution(name, feature, 8, filters)
    turned = net.add("transpose", f"{name}_turned", [convolution], axes=(0, 2, 3, 1))
    return net.add("Flatten", f"{name}_flat", [turned])


def write_tiny_ssd(folder: Path, *, version: str = "v2", spelling: str = "attrs") -> Path:
    """Write `tiny_ssd` as a checkpoint; return its prefix."""
    net = tiny_ssd()
    return write_checkpoint(folder, net.document(spelling=spelling), net.arrays, version=version)


def write_random_resnet50_ssd(folder: Path, seed: int = 0) -> Path:
    """Write the ResNet-50 checkpoint's network with seeded random weights; return the prefix.

    The weights are scaled so that class probabilities spread over (0, 1) and boxes have areas: naive ones saturate.
    Needs RESNET50_SYMBOL.
    """
    document = json.loads(RESNET50_SYMBOL.read_bytes())
    arrays = _random_weights(document["nodes"], np.random.default_rng(seed))
    classes = RESNET50_SYMBOL.with_name("synset.txt").read_text(encoding="utf-8").split()
    return write_checkpoint(folder, document, arrays, classes=classes, name="resnet50_ssd_model")


def _random_weights(nodes: Sequence[Mapping[str, Any]], random: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Return weights for all convolutions and batch normalisations of a network whose input has 3 channels."""
    arrays: dict[str, NDArray[Any]] = {}
    channels: list[int] = []
    for node in nodes:
        channels.append(channels[node["inputs"][0][0]] if node["inputs"] else 3)
        if node["op"] == "Convolution":
            channels[-1] = int(node["attr"]["num_filter"])
            _random_convolution(arrays, node, channels[node["inputs"][0][0]], random)
        elif node["op"] == "BatchNorm":
            _random_batch_norm(arrays, node["name"], channels[-1], random)
    return arrays


def _random_convolution(
    arrays: dict[str, NDArray[Any]], node: Mapping[str, Any], channels: int, random: np.random.Generator
) -> None:
    filters, (height, width) = int(node["attr"]["num_filter"]), ast.literal_eval(node["attr"]["kernel"])
    gain = next((gain for part, gain in _RESNET50_GAINS.items() if part in node["name"]), 2.0)
    deviation = (gain / (channels * height * width)) ** 0.5
    weight = random.standard_normal((filters, channels, height, width)) * deviation
    arrays[f"arg:{node['name']}_weight"] = weight.astype(np.float32)
    if node["attr"].get("no_bias") != "True":
        arrays[f"arg:{node['name']}_bias"] = (random.standard_normal(filters) * 0.1).astype(np.float32)


def _random_batch_norm(arrays: dict[str, NDArray[Any]], name: str, channels: int, random: np.random.Generator) -> None:
    mean, variance = (127.0, 60.0**2) if name == "bn_data" else (0.0, 1.0)
    arrays[f"arg:{name}_gamma"] = random.uniform(0.5, 1.5, channels).astype(np.float32)
    arrays[f"arg:{name}_beta"] = random.normal(0, 0.2, channels).astype(np.float32)
    arrays[f"aux:{name}_moving_mean"] = random.normal(mean, 0.1, channels).astype(np.float32)
    arrays[f"aux:{name}_moving_var"] = (variance * random.uniform(0.8, 1.25, channels)).astype(np.float32)
