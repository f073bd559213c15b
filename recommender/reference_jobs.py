"""Six typical jobs that the report answers every day, so that days can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from recommender.constraints import Constraints
from recommender.workload import Workload


@dataclass(frozen=True, slots=True)
class ReferenceJob:
    """One job of the report. `id` is the page's name, `title` its heading, `note` who would run it."""

    id: str
    title: str
    note: str
    workload: Workload
    constraints: Constraints


@lru_cache(maxsize=1)
def reference_jobs() -> tuple[ReferenceJob, ...]:
    """The jobs, small to large."""
    return (
        ReferenceJob(
            "serve-llama-3.1-8b",
            "Serve Llama 3.1 8B to a chat of 10 requests a second",
            "first token within half a second, 50 ms per token after it, bf16",
            Workload(
                task="serve",
                model="llama-3.1-8b",
                requests_per_second=10,
                input_tokens=1000,
                output_tokens=250,
                ttft_ms=500,
                tpot_ms=50,
            ),
            Constraints(),
        ),
        ReferenceJob(
            "serve-llama-3.1-70b",
            "Serve Llama 3.1 70B at 10 requests a second",
            "the same chat on a model nine times the size, fp8 weights",
            Workload(
                task="serve",
                model="llama-3.1-70b",
                precision="fp8",
                requests_per_second=10,
                input_tokens=1000,
                output_tokens=250,
                ttft_ms=500,
                tpot_ms=50,
            ),
            Constraints(),
        ),
        ReferenceJob(
            "serve-deepseek-v3",
            "Serve DeepSeek-V3 at 5 requests a second",
            "a mixture of experts with 671 billion parameters, 37 of them active per token, fp8",
            Workload(
                task="serve",
                model="deepseek-v3",
                requests_per_second=5,
                input_tokens=2000,
                output_tokens=500,
                ttft_ms=2000,
                tpot_ms=60,
            ),
            Constraints(),
        ),
        ReferenceJob(
            "finetune-llama-3.1-70b-qlora",
            "Fine-tune Llama 3.1 70B with QLoRA on 20 million tokens",
            "some ten thousand examples, three epochs, within three days",
            Workload(
                task="finetune",
                model="llama-3.1-70b",
                method="qlora",
                tokens=20e6,
                seq_len=2048,
                global_batch=32,
            ),
            Constraints(deadline_hours=72),
        ),
        ReferenceJob(
            "finetune-llama-3.1-8b-full",
            "Fine-tune all of Llama 3.1 8B on 200 million tokens",
            "every weight is trained, bf16 with fp32 optimizer state, within two days",
            Workload(
                task="finetune",
                model="llama-3.1-8b",
                method="full",
                tokens=200e6,
                seq_len=4096,
                global_batch=64,
            ),
            Constraints(deadline_hours=48),
        ),
        ReferenceJob(
            "pretrain-7b-1t",
            "Pretrain a 7B model on 1 trillion tokens",
            "Llama 2 7B's shape within 60 days; machines whose network is known",
            Workload(
                task="pretrain",
                model="llama-2-7b",
                tokens=1e12,
                seq_len=4096,
                global_batch=1024,
            ),
            Constraints(deadline_hours=60 * 24),
        ),
    )
