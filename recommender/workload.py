"""The question: what is to run. Validated at construction; an error is one line that names the field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from recommender.sizing.models import ModelArchitecture, assumed_architecture
from recommender.sizing.precision import Precision, find_precision
from warehouse.errors import UsageError

TASKS = ("serve", "finetune", "pretrain")
METHODS = ("full", "lora", "qlora")
TRAINING_PRECISIONS = ("bf16", "fp16", "fp8", "fp32")

# Taken where the question does not say; every answer names them.
DEFAULT_REQUESTS_PER_SECOND = 1.0
DEFAULT_INPUT_TOKENS = 1000
DEFAULT_OUTPUT_TOKENS = 250
DEFAULT_SEQUENCE = 4096
DEFAULT_BATCH_TOKENS = {"finetune": 262_144, "pretrain": 4_194_304}


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One job to be run on rented accelerators.

    Attributes:
        task: `serve`, `finetune` or `pretrain`.
        model: a known name, the path of a config.json, or an architecture; or None with `params`.
        params, active_params: bare parameter counts instead of a model.
        precision: of the served weights, or of training arithmetic; None takes the checkpoint's own for
            serving and bf16 for training.
        requests_per_second: mean rate to serve. peak_factor: peak over mean, >= 1; machines carry the peak.
        input_tokens, output_tokens: mean lengths of a request.
        ttft_ms, tpot_ms: targets for time to first token and per output token, None for none.
        tokens: to train on, epochs included. method: `full`, `lora`, `qlora`.
        seq_len: tokens of a training sequence. global_batch: sequences per optimizer step.
    """

    task: str
    model: str | ModelArchitecture | None = None
    params: float | None = None
    active_params: float | None = None
    precision: str | None = None
    requests_per_second: float | None = None
    peak_factor: float = 1.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    ttft_ms: float | None = None
    tpot_ms: float | None = None
    tokens: float | None = None
    method: str | None = None
    seq_len: int | None = None
    global_batch: int | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UsageError(f"task {self.task!r} is not one of {', '.join(TASKS)}")
        if (self.model is None) == (self.params is None):
            raise UsageError(
                "give either a model (gpufare models lists them) or params, for example --params 70e9"
            )
        if self.active_params is not None and self.params is None:
            raise UsageError("active-params needs params; a named model knows its own")
        for field, low, high in _RANGES:
            _check_range(field, getattr(self, field), low, high)
        _check_foreign(self)
        if self.task != "serve" and self.tokens is None:
            example = "--tokens 50e6" if self.task == "finetune" else "--tokens 1e12"
            raise UsageError(f"{self.task} needs tokens (all epochs together), for example {example}")
        if self.method is not None and self.method not in METHODS:
            raise UsageError(f"method {self.method!r} is not one of {', '.join(METHODS)}")
        if self.task == "pretrain" and self.method not in (None, "full"):
            raise UsageError(f"method {self.method!r} does not go with pretrain; use finetune, or drop it")
        self._check_precision()
        _ = self.architecture

    def _check_precision(self) -> None:
        if self.precision is None:
            return
        name = find_precision(self.precision).name
        if self.task != "serve" and name not in TRAINING_PRECISIONS:
            known = ", ".join(TRAINING_PRECISIONS)
            raise UsageError(f"precision {self.precision!r} is not for training; use one of {known}")

    @cached_property
    def architecture(self) -> ModelArchitecture:
        """The model's architecture. Raises UnknownNameError or UsageError."""
        if isinstance(self.model, ModelArchitecture):
            return self.model
        if self.model is not None:
            from recommender.sizing.registry import find_model

            return find_model(self.model)
        assert self.params is not None
        return assumed_architecture(self.params, self.active_params)

    @property
    def number_format(self) -> Precision:
        """The precision that sizing uses."""
        if self.precision is not None:
            return find_precision(self.precision)
        return find_precision(self.architecture.native_precision if self.task == "serve" else "bf16")

    @property
    def rate(self) -> float:
        """Requests per second on average."""
        return self.requests_per_second or DEFAULT_REQUESTS_PER_SECOND

    @property
    def peak_rate(self) -> float:
        """Requests per second that the machines must carry."""
        return self.rate * self.peak_factor

    @property
    def prompt_tokens(self) -> int:
        """Input tokens of a request."""
        return self.input_tokens or DEFAULT_INPUT_TOKENS

    @property
    def answer_tokens(self) -> int:
        """Output tokens of a request."""
        return self.output_tokens or DEFAULT_OUTPUT_TOKENS

    @property
    def tuning(self) -> str:
        """`full`, `lora` or `qlora`."""
        return self.method or "full"

    @property
    def sequence(self) -> int:
        """Tokens of a training sequence."""
        longest = self.architecture.max_context or DEFAULT_SEQUENCE
        return self.seq_len or min(DEFAULT_SEQUENCE, longest)

    @property
    def batch(self) -> int:
        """Sequences per optimizer step."""
        return self.global_batch or max(1, DEFAULT_BATCH_TOKENS[self.task] // self.sequence)

    def assumptions(self) -> list[str]:
        """What was taken because the question did not say it, as sentences."""
        model = self.architecture
        found = [] if not model.is_assumed else [f"architecture not given: {model.source}"]
        if self.precision is None:
            own = "the checkpoint's own precision" if self.task == "serve" else "usual for training"
            found.append(f"precision {self.number_format.name} taken ({own})")
        if self.task == "serve":
            found += self._serving_assumptions()
        else:
            if self.seq_len is None:
                found.append(f"sequences of {self.sequence:,} tokens taken (--seq-len)")
            if self.global_batch is None:
                found.append(f"global batch of {self.batch:,} sequences taken (--global-batch)")
            if self.task == "finetune" and self.method is None:
                found.append("full fine-tuning taken (--method lora or qlora needs far less memory)")
        longest = self.prompt_tokens + self.answer_tokens if self.task == "serve" else self.sequence
        if model.max_context and longest > model.max_context:
            found.append(f"{longest:,} tokens exceed the {model.max_context:,} positions of {model.name}")
        return found

    def _serving_assumptions(self) -> list[str]:
        found = []
        if self.requests_per_second is None:
            found.append(f"{self.rate:g} request/s taken (--requests-per-second)")
        if self.input_tokens is None or self.output_tokens is None:
            found.append(f"{self.prompt_tokens} tokens in, {self.answer_tokens} out per request taken")
        if self.ttft_ms is None and self.tpot_ms is None:
            found.append("no latency target: up to 256 requests in flight per replica (--ttft-ms, --tpot-ms)")
        return found


_RANGES = (
    ("requests_per_second", 1e-6, 1e7),
    ("peak_factor", 1, 1000),
    ("input_tokens", 1, 100_000_000),
    ("output_tokens", 1, 100_000_000),
    ("ttft_ms", 0.1, 1e7),
    ("tpot_ms", 0.01, 1e7),
    ("tokens", 1, 1e17),
    ("seq_len", 1, 100_000_000),
    ("global_batch", 1, 10_000_000),
)
_SERVE_ONLY = ("requests_per_second", "input_tokens", "output_tokens", "ttft_ms", "tpot_ms")
_TRAIN_ONLY = ("tokens", "method", "seq_len", "global_batch")


def _check_range(field: str, value: float | None, low: float, high: float) -> None:
    if value is None:
        return
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{field.replace('_', '-')} {value:g} must be between {low:g} and {high:g}")


def _check_foreign(workload: Workload) -> None:
    foreign = _TRAIN_ONLY if workload.task == "serve" else _SERVE_ONLY
    for field in foreign:
        if getattr(workload, field) is not None:
            raise UsageError(f"{field.replace('_', '-')} does not go with {workload.task}; drop it")
    if workload.task != "serve" and workload.peak_factor != 1:
        raise UsageError(f"peak-factor does not go with {workload.task}; drop it")
