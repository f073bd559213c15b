"""How much data a job moves and keeps: what it loads, stores, sends out and saves. Gigabytes (10^9 bytes)."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.fields import BATCH, IMAGES, SERVE
from recommender.sizing import memory
from recommender.workload import Workload
from warehouse.units import BYTES_PER_GB, HOURS_PER_MONTH, SECONDS_PER_HOUR

TEXT_BYTES_PER_TOKEN = 5.0  # English: four to five characters a token, one byte each
STORED_BYTES_PER_TOKEN = 4.0  # a prepared training set: one 32-bit id per token
RESUME_BYTES_PER_PARAMETER = 14.0  # 16-bit weights, fp32 copy, two fp32 moments of Adam
CHECKPOINTS_KEPT = 2  # the newest may be the broken one
PNG_BYTES_PER_PIXEL = 1.5  # detailed pictures; three bytes before compression


@dataclass(frozen=True, slots=True)
class Quantities:
    """Data of one job; of a service, per month.

    Attributes:
        load_gb: what each machine reads before it can work (weights).
        stored_gb: what lies on the provider's storage while the job runs.
        out_gb: results that leave the provider. checkpoint_gb: one saved state, 0 where nothing is saved.
        out_what: what leaves, in words.
    """

    load_gb: float
    stored_gb: float
    out_gb: float
    checkpoint_gb: float
    out_what: str


def quantities(workload: Workload, weights_gb: float) -> Quantities:
    """The data of a workload.

    Args:
        weights_gb: of the model as it is loaded.
    """
    if workload.task == SERVE:
        seconds = float(HOURS_PER_MONTH) * SECONDS_PER_HOUR
        answers = workload.rate * seconds * workload.answer_tokens * TEXT_BYTES_PER_TOKEN / BYTES_PER_GB
        return Quantities(weights_gb, weights_gb, answers, 0.0, "answers as text a month")
    if workload.task == BATCH:
        requests = workload.total_requests or 0.0
        per_gb = TEXT_BYTES_PER_TOKEN / BYTES_PER_GB
        answers = requests * workload.answer_tokens * per_gb
        prompts = requests * workload.prompt_tokens * per_gb
        return Quantities(weights_gb, weights_gb + prompts + answers, answers, 0.0, "answers as text")
    if workload.task == IMAGES:
        wide, high = workload.pixels
        made = (workload.images or 0.0) * wide * high * PNG_BYTES_PER_PIXEL / BYTES_PER_GB
        return Quantities(weights_gb, weights_gb + made, made, 0.0, "pictures as PNG")
    model = workload.architecture
    trained = model.total_parameters if workload.tuning == "full" else memory.lora_parameters(model)
    checkpoint = trained * RESUME_BYTES_PER_PARAMETER / BYTES_PER_GB
    data = (workload.tokens or 0.0) * STORED_BYTES_PER_TOKEN / BYTES_PER_GB
    result = trained * 2.0 / BYTES_PER_GB
    what = "trained weights" if workload.tuning == "full" else "adapters"
    return Quantities(weights_gb, weights_gb + data + CHECKPOINTS_KEPT * checkpoint, result, checkpoint, what)
