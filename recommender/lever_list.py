"""The changes that `levers` tries on a workload, each with the condition under which it may be made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from recommender import cost
from recommender.constraints import COMMITTED_KINDS, INTERRUPTIBLE_KINDS, Constraints
from recommender.fields import BATCH, FINETUNE, PRETRAIN, SERVE, TEXT_OUT
from recommender.sizing.precision import PRECISIONS
from recommender.sizing.registry import models
from recommender.sizing.scaling_law import same_loss_for_least_work
from recommender.workload import Workload
from warehouse.errors import UsageError
from warehouse.units import SECONDS_PER_HOUR

HOURS_OF_A_DAY = 24
TERMS_MONTHS = (1, 12, 36)
TUNED_TOKENS = 1e9  # what "fine-tune instead" assumes at most; stated in its condition
MUCH_SMALLER = 0.67  # the next smaller sibling has at most this share of the parameters


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the question.

    Attributes:
        name: for programs. title: for people. condition: when it may be made, and what it does to quality.
        workload, limits: the fields that it sets.
        times: how often the changed workload is paid in the time that the original counts.
        keeps_answers: the same model gives the same answers, only cheaper: such changes can be combined.
    """

    name: str
    title: str
    condition: str
    workload: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    times: float = 1.0
    keeps_answers: bool = False

    def apply(self, workload: Workload, constraints: Constraints) -> tuple[Workload, Constraints]:
        """The changed question; limits of a month are shared among the `times` that it is paid in it."""
        limits = replace(constraints, **self.limits)
        if self.times != 1:
            share: dict[str, Any] = {"budget_usd": limits.budget_usd, "max_co2_kg": limits.max_co2_kg}
            limits = replace(limits, **{k: v / self.times for k, v in share.items() if v is not None})
        return replace(workload, **self.workload), limits


@dataclass(frozen=True, slots=True)
class Effect:
    """A change whose effect is taken from what was published, not computed: `factor` times the work per hour.

    counted: sizing assumes it already, so that it saves nothing more. source: who published it.
    """

    name: str
    title: str
    factor: float
    condition: str
    source: str
    tasks: tuple[str, ...] = ()
    counted: bool = False


PUBLISHED = (
    Effect(
        "distillation",
        "distil into a smaller model",
        1.6,
        "a smaller model is trained on the answers of this one, which costs a training run; DistilBERT kept "
        "97 % of BERT's score with 40 % fewer parameters",
        "Sanh et al. 2019, arXiv:1910.01108",
        TEXT_OUT,
    ),
    Effect(
        "kernels",
        "fused attention kernels",
        3.0,
        "counted already: sizing assumes a current engine; one without them is slower by this factor at most",
        "The Economist, June 2023",
        counted=True,
    ),
    Effect(
        "compilers",
        "a compiler for the model's graph",
        2.0,
        "counted already: sizing assumes a current engine; one without it is slower by this factor at most",
        "The Economist, June 2023",
        counted=True,
    ),
)


def parse_effect(text: str) -> Effect:
    """``distillation=2.5`` as an effect of the reader's own. Raises UsageError."""
    name, _, number = text.partition("=")
    try:
        factor = float(number)
    except ValueError:
        factor = 0.0
    if not name.strip() or not 0.01 <= factor <= 1000:
        raise UsageError(
            f"--effect {text!r} is not NAME=FACTOR with a factor from 0.01 to 1000; example: "
            "--effect distillation=2.5"
        )
    name = name.strip()
    known = {effect.name: effect for effect in PUBLISHED}
    title = known[name].title if name in known else name
    return Effect(name, title, factor, "the factor is yours: measure it on your own stack", "given by you")


def changes(workload: Workload, constraints: Constraints) -> list[Change]:
    """All changes that go with the question, in the order in which they are told apart in ties."""
    found = [*_formats(workload), *_smaller(workload), *_methods(workload)]
    found += [*_patience(workload, constraints), *_places(constraints), *_ways_to_pay(constraints)]
    return found


def _formats(workload: Workload) -> Iterator[Change]:
    """Narrower number formats."""
    if workload.task == PRETRAIN or (workload.task == FINETUNE and workload.tuning == "full"):
        if workload.number_format.name in ("bf16", "fp16", "fp32"):
            yield Change(
                "fp8_training",
                "train in fp8",
                "Hopper, Blackwell or MI300 and a framework with fp8 recipes; watch the loss against bf16",
                {"precision": "fp8"},
                keeps_answers=True,
            )
        return
    if workload.task not in TEXT_OUT:
        return
    conditions = {
        "fp8": "Ada, Hopper, Blackwell or MI300 run it natively; usually under 1 % of quality: test it",
        "int8": "8-bit weights, arithmetic stays 16 bit; usually under 1 % of quality: test it",
        "int4": "4-bit weights (GPTQ, AWQ), arithmetic stays 16 bit; some tasks lose noticeably: test it",
    }
    now = workload.number_format
    for name, condition in conditions.items():
        if PRECISIONS[name].weight_bytes < 0.95 * now.weight_bytes:
            yield Change(
                name, f"quantise the weights to {name}", condition, {"precision": name}, keeps_answers=True
            )


def _smaller(workload: Workload) -> Iterator[Change]:
    """A smaller model: the next sibling, or the cheapest model of the same loss."""
    if workload.task == PRETRAIN:
        yield from _optimal_size(workload)
        return
    if workload.model is None or workload.task not in (*TEXT_OUT, FINETUNE):
        return
    name = smaller_sibling(workload.architecture.name)
    if name is not None:
        yield Change(
            "smaller_model",
            f"use {name} instead",
            "if it is good enough: compare both on your own questions; a tuned small model often is",
            {"model": name},
        )


def smaller_sibling(name: str) -> str | None:
    """The largest known model of the same series with at most two thirds of the parameters."""
    known = models()
    series = _series(name)
    if name not in known or series is None:
        return None
    most = MUCH_SMALLER * known[name].total_parameters
    found = [
        model
        for model in known.values()
        if model.name != name and _series(model.name) == series and model.total_parameters <= most
    ]
    return max(found, key=lambda model: model.total_parameters).name if found else None


def _series(name: str) -> str | None:
    """``llama-3.1-70b`` and ``llama-3.1-8b`` are both of ``llama-3.1``; None where the name has no size."""
    match = re.fullmatch(r"(.+?)-\d+(?:\.\d+)?[bm](?:-a\d+(?:\.\d+)?b)?", name)
    return match.group(1) if match else None


def _optimal_size(workload: Workload) -> Iterator[Change]:
    """The model and data of the same loss that take the least training work (Chinchilla)."""
    size, tokens = workload.architecture.active_parameters, workload.tokens or 0.0
    best_size, best_tokens = same_loss_for_least_work(size, tokens)
    if best_size * best_tokens > 0.97 * size * tokens or workload.architecture.is_moe:
        return
    smaller = best_size < size
    words = "smaller model on more tokens" if smaller else "larger model on fewer tokens"
    condition = (
        f"the same loss by the law of arXiv:2404.10102 with {best_size * best_tokens / size / tokens:.0%} of "
        "the work"
    )
    if smaller:
        condition += "; every later answer is cheaper too; it takes that much clean data"
    else:
        condition += "; but every later answer is dearer: only where few are asked of it"
    title = f"{words}: {best_size / 1e9:,.3g} B on {best_tokens / 1e9:,.4g} B tokens"
    changed = {"model": None, "params": best_size, "tokens": best_tokens}
    yield Change("compute_optimal", title, condition, changed)


def _methods(workload: Workload) -> Iterator[Change]:
    """Train less: adapters instead of all weights, fine-tuning instead of training from nothing."""
    if workload.task == FINETUNE:
        texts = {
            "lora": (
                "LoRA instead of full fine-tuning",
                "adapters only; learns style and tasks well, new facts less",
            ),
            "qlora": (
                "QLoRA: adapters on 4-bit weights",
                "65 B fits one 48 GB GPU (arXiv:2305.14314); each token takes longer than with LoRA",
            ),
        }
        later = {"full": ("lora", "qlora"), "lora": ("qlora",)}.get(workload.tuning, ())
        for method in later:
            yield Change(method, *texts[method], {"method": method, "precision": None})
    if workload.task == PRETRAIN:
        tokens = min(TUNED_TOKENS, workload.tokens or TUNED_TOKENS)
        yield Change(
            "finetune_instead",
            "fine-tune a published model of this size instead",
            f"if one exists whose licence and language suit; {tokens / 1e9:,.3g} billion own tokens assumed",
            {"task": FINETUNE, "tokens": tokens, "precision": None},
        )


def _patience(workload: Workload, constraints: Constraints) -> Iterator[Change]:
    """Waiting: no latency target, a batch instead of a service, a later deadline."""
    if workload.task == SERVE:
        if workload.ttft_ms is not None or workload.tpot_ms is not None:
            yield Change(
                "no_latency_target",
                "no latency target",
                "if nobody waits at the other end: agents, pipelines, nightly work",
                {"ttft_ms": None, "tpot_ms": None},
                keeps_answers=True,
            )
        yield Change(
            "batch",
            "collect the requests and run them once a day",
            "if answers may be a day old: machines run full, for some hours, and are given back",
            {
                "task": BATCH,
                "requests_per_second": None,
                "peak_factor": 1.0,
                "ttft_ms": None,
                "tpot_ms": None,
                "total_requests": max(1.0, workload.rate * SECONDS_PER_HOUR * HOURS_OF_A_DAY),
            },
            {"deadline_hours": float(HOURS_OF_A_DAY), "on_demand_floor": None},
            times=cost.HOURS_OF_A_MONTH / HOURS_OF_A_DAY,
        )
        if workload.peak_factor > 1:
            yield Change(
                "no_peak",
                "queue the peak instead of carrying it",
                f"if requests may wait while the rate is above the mean (peak {workload.peak_factor:g} x)",
                {"peak_factor": 1.0},
                keeps_answers=True,
            )
    elif constraints.deadline_hours is not None:
        yield Change(
            "later_deadline",
            "four times the time",
            "if it may end later; slower and calmer machines then do",
            limits={"deadline_hours": constraints.deadline_hours * 4},
            keeps_answers=True,
        )


def _places(constraints: Constraints) -> Iterator[Change]:
    """Limits on place, seller and machine given up."""
    place = constraints.regions or constraints.countries or constraints.continents
    if place:
        yield Change(
            "any_region",
            "any region of the world",
            "if law and contracts let the data leave, and the longer way is no matter",
            limits={"regions": (), "countries": (), "continents": ()},
            keeps_answers=True,
        )
    if constraints.providers:
        yield Change(
            "any_provider",
            "any provider",
            "a new contract, and a look at who operates the machines",
            limits={"providers": ()},
            keeps_answers=True,
        )
    if constraints.gpus or constraints.gpu_count or constraints.interconnect or constraints.min_memory_gb:
        yield Change(
            "any_gpu",
            "any accelerator",
            "if your stack runs on it: AMD, TPU and Trainium need their own builds",
            limits={"gpus": (), "gpu_count": None, "interconnect": None, "min_memory_gb": None},
            keeps_answers=True,
        )


def _ways_to_pay(constraints: Constraints) -> Iterator[Change]:
    """Spot and commitments."""
    if constraints.kinds:
        if not set(constraints.kinds) & set(INTERRUPTIBLE_KINDS):
            kinds = (*constraints.kinds, *INTERRUPTIBLE_KINDS)
            yield Change("spot", "spot machines", _SPOT, limits={"kinds": kinds}, keeps_answers=True)
        if not set(constraints.kinds) & set(COMMITTED_KINDS):
            kinds = (*constraints.kinds, *COMMITTED_KINDS)
            yield Change(
                "commit_12_months", "commit for 12 months", _COMMIT,
                limits={"kinds": kinds, "commit_months": 12}, keeps_answers=True,
            )  # fmt: skip
        return
    if not constraints.spot_ok:
        yield Change("spot", "spot machines", _SPOT, limits={"spot_ok": True}, keeps_answers=True)
    if constraints.term_months is None:
        for months in TERMS_MONTHS:
            if months > constraints.commit_months:
                words = (
                    "by the month, or in capacity blocks" if months == 1 else f"commit for {months} months"
                )
                yield Change(
                    f"commit_{months}_months", words, _COMMIT, limits={"commit_months": months},
                    keeps_answers=True,
                )  # fmt: skip


_SPOT = (
    "machines can be taken away: saved work, restarts and spares are in the cost; a service keeps running on "
    "fewer meanwhile"
)
_COMMIT = "paid whether used or not, and the market may fall meanwhile: gpufare commit weighs it"
