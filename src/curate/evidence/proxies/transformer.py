"""A transformer of a quarter of a million parameters as proxy: the second opinion, from another family of models.

It learns at a constant, small rate (rankings of data flip at large ones: arXiv 2512.24503) and is scored with averaged
weights, so that one training gives a fair loss at every budget. Needs the extra ``curate-corpus[torch]``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import require
from curate.evidence.proxies.kneser_ney import START, VOCABULARY, Tokens
from curate.evidence.proxies.proxy import Evaluation

WIDTH, LAYERS, HEADS, CONTEXT, BATCH = 64, 2, 4, 128, 8
RATE = 1e-3
_AVERAGED = 0.99


class TransformerProxy:
    """See the text above.

    Args:
        rate: learning rate.

    Raises:
        PlanError: torch is not installed.
    """

    name = "transformer"
    about = "transformer of 0.24 M parameters (2 layers, width 64, context 128), 2,047 byte-level tokens"
    largest = 600_000
    raw_most = 2.0

    def __init__(self, rate: float = RATE) -> None:
        self.rate = rate
        self.key = f"transformer 2, rate {rate:g}"
        require("torch", "torch", "you requested the proxy `transformer`")
        import torch

        torch.set_num_threads(1)  # trainings run side by side

    def slower(self) -> "TransformerProxy":
        """The same at half the learning rate."""
        return TransformerProxy(self.rate / 2)

    def losses(
        self, tokens: Tokens, budgets: Sequence[int], evaluations: Mapping[str, Evaluation], seed: int
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Bits of every document after each budget, by the averaged weights."""
        import torch

        model = _Model(seed)
        optimizer = torch.optim.AdamW(model.weights.values(), lr=self.rate, betas=(0.9, 0.98), weight_decay=0.1)
        averaged = {name: weight.detach().clone() for name, weight in model.weights.items()}
        windows = {name: _windows(each) for name, each in evaluations.items()}
        found: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in evaluations}
        rows, behind = _rows(tokens)
        step, at = 0, 0
        for budget in budgets:
            while at < len(rows) and (behind[min(at + BATCH, len(rows)) - 1] <= budget or not step):
                batch = torch.from_numpy(rows[at : at + BATCH])
                optimizer.zero_grad(set_to_none=True)
                model.loss(batch, model.weights).mean().backward()
                optimizer.step()
                kept = min(_AVERAGED, (1 + step) / (10 + step))
                with torch.no_grad():
                    for name, weight in averaged.items():
                        weight.lerp_(model.weights[name], 1 - kept)
                step, at = step + 1, at + BATCH
            for name, (texts, owners, documents) in windows.items():
                found[name].append(_bits(model, averaged, texts, owners, documents))
        return {name: np.array(each) for name, each in found.items()}


class _Model:
    """Weights, and the loss of rows of tokens under weights; pre-norm, causal, tied embeddings."""

    def __init__(self, seed: int) -> None:
        import torch

        rng = np.random.default_rng(seed)

        def drawn(*shape: int, scale: float) -> Any:
            values = rng.normal(0, scale, shape).astype(np.float32)
            return torch.from_numpy(values).requires_grad_()

        self.weights: dict[str, Any] = {
            "tokens": drawn(VOCABULARY, WIDTH, scale=0.02),
            "places": drawn(CONTEXT, WIDTH, scale=0.02),
        }
        for layer in range(LAYERS):
            deep = 0.02 / np.sqrt(2 * LAYERS)
            self.weights |= {
                f"{layer}.attend": drawn(3 * WIDTH, WIDTH, scale=0.08),
                f"{layer}.mix": drawn(WIDTH, WIDTH, scale=deep),
                f"{layer}.widen": drawn(4 * WIDTH, WIDTH, scale=0.08),
                f"{layer}.narrow": drawn(WIDTH, 4 * WIDTH, scale=deep),
            }

    def loss(self, rows: Any, weights: Mapping[str, Any]) -> Any:
        """Nats of each token (rows × `CONTEXT`); 0 where a piece begins, which nobody has to guess."""
        import torch.nn.functional as nn

        inputs, wanted = rows[:, :-1], rows[:, 1:]
        x = weights["tokens"][inputs] + weights["places"]
        for layer in range(LAYERS):
            h = nn.layer_norm(x, (WIDTH,))
            q, k, v = (h @ weights[f"{layer}.attend"].T).split(WIDTH, dim=2)
            q, k, v = (each.view(*each.shape[:2], HEADS, WIDTH // HEADS).transpose(1, 2) for each in (q, k, v))
            mixed = nn.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(x.shape)
            x = x + mixed @ weights[f"{layer}.mix"].T
            x = x + nn.gelu(nn.layer_norm(x, (WIDTH,)) @ weights[f"{layer}.widen"].T) @ weights[f"{layer}.narrow"].T
        logits = nn.layer_norm(x, (WIDTH,)) @ weights["tokens"].T
        # Tokens last: across rows that lie apart the same sum takes 1.6 times as long, training and all.
        nats = nn.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=0, reduction="none")
        return nats.view(wanted.shape)


def _rows(tokens: Tokens) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of `CONTEXT` + 1 tokens that overlap by one, 0 before each piece; and the tokens seen behind each row."""
    starts = np.flatnonzero(tokens & START)
    stream = np.insert((tokens & np.uint16(VOCABULARY - 1)).astype(np.int64), starts, 0)
    number = (len(stream) - 1) // CONTEXT
    rows = np.lib.stride_tricks.sliding_window_view(stream, CONTEXT + 1)[: number * CONTEXT : CONTEXT]
    seen = np.cumsum(stream != 0)[CONTEXT : number * CONTEXT + 1 : CONTEXT]
    return np.ascontiguousarray(rows), seen


def _windows(evaluation: Evaluation) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Every document cut into windows of `CONTEXT` tokens behind a 0, filled up with 0; and whose each is."""
    rows, owners = list[npt.NDArray[np.int64]](), list[int]()
    plain = (evaluation.tokens & np.uint16(VOCABULARY - 1)).astype(np.int64)
    for number, (start, end) in enumerate(zip(evaluation.offsets, evaluation.offsets[1:], strict=False)):
        for at in range(int(start), int(end), CONTEXT):
            row = np.zeros(CONTEXT + 1, np.int64)
            piece = plain[at : min(at + CONTEXT, int(end))]
            row[1 : 1 + len(piece)] = piece
            rows.append(row)
            owners.append(number)
    return np.array(rows), np.array(owners), len(evaluation.offsets) - 1


def _bits(
    model: _Model, weights: Mapping[str, Any], rows: npt.NDArray[np.int64], owners: npt.NDArray[np.int64], number: int
) -> npt.NDArray[np.float64]:
    import torch

    found = np.zeros(number)
    with torch.no_grad():
        for at in range(0, len(rows), 64):
            nats = model.loss(torch.from_numpy(rows[at : at + 64]), weights).double().sum(dim=1).numpy()
            np.add.at(found, owners[at : at + 64], nats / np.log(2))
    return found
