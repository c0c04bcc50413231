"""Small models of every kind of input, trained here in seconds, for the commands and pictures of docs/any-model.md.

python benchmarks/any_model.py FOLDER       writes the models and what they are fed
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from PIL import Image

PLAIN = ["the", "a", "film", "book", "was", "is", "and", "but", "not", "very", "i", "it", "story", "acting", "ending"]
GOOD = ["loved", "liked", "wonderful", "good", "great", "touching"]
BAD = ["hated", "boring", "bad", "awful", "dull", "weak"]
WORDS = ["[PAD]", "[UNK]", *PLAIN, *GOOD, *BAD]
COLUMNS = ("age", "weight", "glucose", "pulse", "height")

TABLE = """
table (float[N,5] patient) => (float[N,2] risk) {
  h = Gemm <transB = 1> (patient, w0, b0)  r = Relu (h)  z = Gemm <transB = 1> (r, w1, b1)
  risk = Softmax <axis = 1> (z)
}"""
TOKENS = """
review (int64[N,T] input_ids, int64[N,T] attention_mask) => (float[N,2] logits) {
  embeddings = Gather (table, input_ids)  h = MatMul (embeddings, m0)  t = Tanh (h)
  m = Cast <to = 1> (attention_mask)  last = Constant <value_ints = [2]> ()  u = Unsqueeze (m, last)
  kept = Mul (t, u)  one = Constant <value_ints = [1]> ()  sum = ReduceSum <keepdims = 0> (kept, one)
  logits = Gemm <transB = 1> (sum, w1, b1)
}"""
AUDIO = """
chirp (float[N,1,40,100] spectrogram) => (float[N,2] logits) {
  c = Conv <pads = [2, 2, 2, 2]> (spectrogram, w0, b0)  r = Relu (c)  p = GlobalMaxPool (r)  f = Flatten (p)
  logits = Gemm <transB = 1> (f, w1, b1)
}"""
SERIES = """
beat (float[N,1,200] signal) => (float[N,2] logits) {
  c = Conv <pads = [5, 5]> (signal, w0, b0)  r = Relu (c)  p = GlobalMaxPool (r)  f = Flatten (p)
  logits = Gemm <transB = 1> (f, w1, b1)
}"""
TWO = """
near (float[N,3,24,24] rgb, float[N,1,24,24] depth) => (float[N,2] logits) {
  joined = Concat <axis = 1> (rgb, depth)  c = Conv <pads = [1, 1, 1, 1]> (joined, w0, b0)  r = Relu (c)
  p = GlobalMaxPool (r)  f = Flatten (p)  logits = Gemm <transB = 1> (f, w1, b1)
}"""


def train(network: Any, inputs: Any, labels: Any, steps: int = 400) -> None:
    """A few hundred steps of Adam on all samples."""
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), labels).backward()
        optimiser.step()
    found = (network(inputs).argmax(1) == labels).float().mean()
    print(f"accuracy {found:.3f} on {len(labels)} samples of training")


def save(path: Path, text: str, weights: dict[str, Any]) -> None:
    """The graph in text with the weights trained."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]>\n{text}')
    tensors = {name: value.detach().numpy().astype(np.float32) for name, value in weights.items()}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in tensors.items())
    onnx.save(model, path)


def table(folder: Path, rng: np.random.Generator) -> None:
    """Risk that rises with glucose and weight alone."""
    x = rng.standard_normal((600, 5)).astype(np.float32)
    labels = torch.from_numpy((1.5 * x[:, 2] + x[:, 1] > 0).astype(np.int64))
    network = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    train(network, torch.from_numpy(x), labels)
    first, second = network[0], network[2]
    weights = {"w0": first.weight, "b0": first.bias, "w1": second.weight, "b1": second.bias}
    save(folder / "table.onnx", TABLE, weights)
    names, ill, well = ",".join(COLUMNS), "0.3,0.9,1.4,-0.7,1.1", "1.2,-1.3,-0.8,0.4,0.2"
    (folder / "patients.csv").write_text(f"{names}\n{ill}\n{well}\n")
    (folder / "ill.csv").write_text(f"{names}\n{ill}\n")
    (folder / "well.csv").write_text(f"{names}\n{well}\n")


class Review(torch.nn.Module):
    """Embeddings, one layer, a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(len(WORDS), 8)
        self.inner = torch.nn.Linear(8, 8, bias=False)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, ids: Any) -> Any:
        """Logits."""
        kept = torch.tanh(self.inner(self.table(ids))) * (ids != 0)[..., None]
        return self.head(kept.sum(1))


def review(folder: Path, rng: np.random.Generator) -> None:
    """Whether there are more good words than bad ones."""
    texts, labels = [], []
    for _ in range(600):
        label = int(rng.integers(2))
        words = list(rng.choice(PLAIN, 6)) + list(rng.choice(GOOD if label else BAD, 2))
        words += list(rng.choice(BAD if label else GOOD, 1)) if rng.random() < 0.4 else ["[PAD]"]
        texts.append([WORDS.index(word) for word in words])
        labels.append(label)
    network = Review()
    train(network, torch.tensor(texts), torch.tensor(labels))
    weights = {
        "table": network.table.weight, "m0": network.inner.weight.T.contiguous(), "w1": network.head.weight,
        "b1": network.head.bias,
    }  # fmt: skip
    save(folder / "review.onnx", TOKENS, weights)
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def convolved(channels: int, kernel: int | tuple[int, int], padding: int, width: int = 8) -> Any:
    """A convolution, the largest of each channel, two logits."""
    two = isinstance(kernel, tuple)
    layers = [
        torch.nn.Conv2d if two else torch.nn.Conv1d,
        torch.nn.AdaptiveMaxPool2d if two else torch.nn.AdaptiveMaxPool1d,
    ]
    return torch.nn.Sequential(
        layers[0](channels, width, kernel, padding=padding), torch.nn.ReLU(), layers[1](1), torch.nn.Flatten(),
        torch.nn.Linear(width, 2),
    )  # fmt: skip


def weights_of(network: Any) -> dict[str, Any]:
    """By the names in the graphs."""
    return {"w0": network[0].weight, "b0": network[0].bias, "w1": network[4].weight, "b1": network[4].bias}


def chirp(folder: Path, rng: np.random.Generator) -> None:
    """Whether a tone rises in a spectrogram of noise, or falls."""
    time, bins = np.arange(100), np.arange(40)[:, None]

    def one(rising: int) -> Any:
        start, begin = rng.uniform(12, 26), rng.integers(10, 60)
        path = start + (1 if rising else -1) * 0.4 * (time - begin)
        tone = np.exp(-((bins - path) ** 2) / 3) * ((time >= begin) & (time < begin + 30))
        return (2 * tone + 0.4 * rng.random((40, 100))).astype(np.float32)[None]

    labels = rng.integers(0, 2, 160)
    network = convolved(1, (5, 5), 2)
    train(network, torch.from_numpy(np.stack([one(int(label)) for label in labels])), torch.from_numpy(labels), 150)
    save(folder / "chirp.onnx", AUDIO, weights_of(network))
    np.save(folder / "spectrogram.npy", one(1)[None])


def beat(folder: Path, rng: np.random.Generator) -> None:
    """Whether one beat of a pulse is missing its dip."""
    time = np.arange(200)

    def one(dips: int) -> Any:
        signal = np.sin(2 * np.pi * time / 25) + 0.1 * rng.standard_normal(200)
        if dips:
            signal += 2.5 * np.exp(-((time - rng.integers(40, 160)) ** 2) / 6)
        return signal.astype(np.float32)[None]

    labels = rng.integers(0, 2, 300)
    network = convolved(1, 11, 5)
    train(network, torch.from_numpy(np.stack([one(int(label)) for label in labels])), torch.from_numpy(labels), 200)
    save(folder / "beat.onnx", SERIES, weights_of(network))
    np.save(folder / "signal.npy", one(1)[None])


def near(folder: Path, rng: np.random.Generator) -> None:
    """Whether something red is near: colour alone or depth alone do not tell."""

    def one(label: int) -> tuple[Any, Any]:
        rgb, depth = rng.uniform(0, 0.3, (3, 24, 24)), rng.uniform(0.7, 1.0, (1, 24, 24))
        kinds = [(True, True)] if label else [(True, False), (False, True)]
        for red, close in kinds:
            y, x = rng.integers(2, 16, 2)
            rgb[0 if red else 1, y : y + 6, x : x + 6] += 0.7
            depth[0, y : y + 6, x : x + 6] = 0.1 if close else 0.8
        return rgb.astype(np.float32), depth.astype(np.float32)

    labels = rng.integers(0, 2, 400)
    samples = [one(int(label)) for label in labels]
    joined = np.stack([np.concatenate(pair) for pair in samples])
    network = convolved(4, (3, 3), 1)
    train(network, torch.from_numpy(joined), torch.from_numpy(labels))
    save(folder / "near.onnx", TWO, weights_of(network))
    for label, before in ((1, ""), (0, "other-")):
        rgb, depth = one(label)
        colours = np.rint(255 * rgb.transpose(1, 2, 0)).clip(0, 255).astype(np.uint8)
        Image.fromarray(colours).save(folder / f"{before}colour.png")
        Image.fromarray(np.rint(255 * depth[0]).astype(np.uint8)).save(folder / f"{before}depth.png")


def main() -> None:
    """All of them."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    for make in (table, review, chirp, beat, near):
        make(folder, rng)


if __name__ == "__main__":
    main()
