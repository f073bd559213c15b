"""The question: what is to run. Validated at construction; an error is one line that names the field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.fields import (
    BATCH,
    FINETUNE,
    IMAGES,
    PRETRAIN,
    SERVE,
    TASKS,
    TEXT_OUT,
    TRAINING,
    WORKLOAD_FIELDS,
)
from recommender.sizing.models import ModelArchitecture, assumed_architecture
from recommender.sizing.precision import Precision, find_precision
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from recommender.sizing.diffusion import ImageModel

METHODS = ("full", "lora", "qlora")
SERVING_ENGINES = ("trtllm", "vllm", "sglang")
CACHE_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0}
TRAINING_PRECISIONS = ("bf16", "fp16", "fp8", "fp32")

# Taken where the question does not say; every answer names them.
DEFAULT_REQUESTS_PER_SECOND = 1.0
DEFAULT_INPUT_TOKENS = 1000
DEFAULT_OUTPUT_TOKENS = 250
DEFAULT_SEQUENCE = 4096
DEFAULT_BATCH_TOKENS = {FINETUNE: 262_144, PRETRAIN: 4_194_304}


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One job to be run on rented accelerators.

    Attributes:
        task: `serve`, `batch`, `images`, `finetune` or `pretrain`.
        model: a known name, the path of a config.json, or an architecture; or None with `params`.
        params, active_params: bare parameter counts instead of a model.
        precision: of the served weights, or of training arithmetic; None takes the checkpoint's own for
            serving and bf16 for training.
        requests_per_second: mean rate to serve. peak_factor: peak over mean, >= 1; machines carry the peak.
        input_tokens, output_tokens: mean lengths of a request.
        ttft_ms, tpot_ms: targets for time to first token and per output token, None for none.
        engine: serving software, None for the mean of the known ones. kv_precision: of the cache, None for
            the usual 16 bit. accept_rate: chance that a drafted token is accepted, None without drafts.
            cached_share: of each prompt, found in the cache.
        total_requests: of a batch. images, width, height, steps: pictures to make, their pixels, and the
            denoising steps of each (None: the model's usual).
        tokens: to train on, epochs included. method: `full`, `lora`, `qlora`.
        seq_len: tokens of a training sequence. global_batch: sequences per optimizer step.
        every_hours: the job is run again this often (retraining), None for once.
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
    engine: str | None = None
    kv_precision: str | None = None
    accept_rate: float | None = None
    cached_share: float | None = None
    total_requests: float | None = None
    images: float | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    tokens: float | None = None
    method: str | None = None
    seq_len: int | None = None
    global_batch: int | None = None
    every_hours: float | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UsageError(f"task {self.task!r} is not one of {', '.join(TASKS)}")
        if (self.model is None) == (self.params is None):
            raise UsageError(
                "give either a model (gpufare models lists them) or params, for example --params 70e9"
            )
        if self.active_params is not None and self.params is None:
            raise UsageError("active-params needs params; a named model knows its own")
        _check_fields(self)
        needed, example = _NEEDED.get(self.task, ("", ""))
        if needed and getattr(self, needed) is None:
            raise UsageError(f"{self.task} needs {needed.replace('_', '-')}, for example {example}")
        if self.method is not None and self.method not in METHODS:
            raise UsageError(f"method {self.method!r} is not one of {', '.join(METHODS)}")
        if self.task == PRETRAIN and self.method not in (None, "full"):
            raise UsageError(f"method {self.method!r} does not go with pretrain; use finetune, or drop it")
        self._check_precision()
        if self.engine is not None and self.engine not in SERVING_ENGINES:
            raise UsageError(f"engine {self.engine!r} is not one of {', '.join(SERVING_ENGINES)}")
        if self.kv_precision is not None and self.kv_precision not in CACHE_BYTES:
            raise UsageError(f"kv-precision {self.kv_precision!r} is not one of {', '.join(CACHE_BYTES)}")
        _ = self.model_name

    @classmethod
    def from_file(cls, path: str | Path) -> Workload:
        """The workload of a YAML file (with its limits: `workload_file.read_job`). Raises UsageError."""
        from recommender.workload_file import read_job

        return read_job(path).workload

    def _check_precision(self) -> None:
        if self.precision is None:
            return
        name = find_precision(self.precision).name
        if self.task in TRAINING and name not in TRAINING_PRECISIONS:
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

    @cached_property
    def image_model(self) -> ImageModel:
        """The text-to-image model of an `images` job. Raises UnknownNameError or UsageError."""
        from recommender.sizing.diffusion import find_image_model

        if not isinstance(self.model, str):
            raise UsageError("images needs the name of a text-to-image model, for example --model sdxl")
        return find_image_model(self.model)

    @property
    def model_name(self) -> str:
        """Short name of the model, of whichever kind."""
        return self.image_model.name if self.task == IMAGES else self.architecture.name

    @property
    def number_format(self) -> Precision:
        """The precision that sizing uses."""
        if self.precision is not None:
            return find_precision(self.precision)
        return find_precision(self.architecture.native_precision if self.task in TEXT_OUT else "bf16")

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

    @property
    def is_job(self) -> bool:
        """Does it end? Everything but a service does."""
        return self.task != SERVE

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height of a picture."""
        usual = self.image_model.default_pixels
        return self.width or usual, self.height or usual

    @property
    def denoising_steps(self) -> int:
        """Steps of one picture."""
        return self.steps or self.image_model.default_steps

    def assumptions(self) -> list[str]:
        """What was taken because the question did not say it, as sentences."""
        if self.task == IMAGES:
            return self._image_assumptions()
        model = self.architecture
        found = [] if not model.is_assumed else [f"architecture not given: {model.source}"]
        if self.precision is None:
            own = "the checkpoint's own precision" if self.task in TEXT_OUT else "usual for training"
            found.append(f"precision {self.number_format.name} taken ({own})")
        found += self._serving_assumptions() if self.task in TEXT_OUT else self._training_assumptions()
        longest = self.prompt_tokens + self.answer_tokens if self.task in TEXT_OUT else self.sequence
        if model.max_context and longest > model.max_context:
            found.append(f"{longest:,} tokens exceed the {model.max_context:,} positions of {model.name}")
        return found

    def _image_assumptions(self) -> list[str]:
        wide, high = self.pixels
        missing = self.width is None or self.height is None
        found = [f"pictures of {wide} x {high} pixels taken (--width, --height)"] if missing else []
        if self.steps is None:
            found.append(f"{self.denoising_steps} steps a picture taken (--steps)")
        return found

    def _training_assumptions(self) -> list[str]:
        found = []
        if self.seq_len is None:
            found.append(f"sequences of {self.sequence:,} tokens taken (--seq-len)")
        if self.global_batch is None:
            found.append(f"global batch of {self.batch:,} sequences taken (--global-batch)")
        if self.task == FINETUNE and self.method is None:
            found.append("full fine-tuning taken (--method lora or qlora needs far less memory)")
        return found

    def _serving_assumptions(self) -> list[str]:
        found = []
        if self.requests_per_second is None and self.task == SERVE:
            found.append(f"{self.rate:g} request/s taken (--requests-per-second)")
        if self.input_tokens is None or self.output_tokens is None:
            found.append(f"{self.prompt_tokens} tokens in, {self.answer_tokens} out per request taken")
        if self.ttft_ms is None and self.tpot_ms is None and self.task == SERVE:
            found.append("no latency target: up to 256 requests in flight per replica (--ttft-ms, --tpot-ms)")
        return found


_NEEDED = {
    FINETUNE: ("tokens", "--tokens 50e6 (all epochs together)"),
    PRETRAIN: ("tokens", "--tokens 1e12 (all epochs together)"),
    BATCH: ("total_requests", "--total-requests 1e6"),
    IMAGES: ("images", "--images 100000"),
}


def _check_fields(workload: Workload) -> None:
    """Each given field has a number in its range and goes with the task. Raises UsageError."""
    for item in WORKLOAD_FIELDS:
        value = getattr(workload, item.name)
        if value is None:
            continue
        shown = item.name.replace("_", "-")
        if item.low is not None and item.high is not None:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UsageError(f"{shown} {value!r} is not a number")
            if not math.isfinite(value) or not item.low <= value <= item.high:
                raise UsageError(f"{shown} {value:g} must be between {item.low:g} and {item.high:g}")
        if item.tasks and workload.task not in item.tasks and not (item.name == "peak_factor" and value == 1):
            raise UsageError(f"{shown} does not go with {workload.task}; drop it")
