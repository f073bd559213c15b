"""The decisions that five articles on the price of AI compute describe, each with the command for it.

    python -m bench.questions          writes docs/questions.md from the market that ships inside the package

The articles: a16z, "Navigating the High Cost of AI Compute" (April 2023); The Register, "Replacing workers
with AI? Don't forget the retraining fees" (January 2023); The Economist, "The bigger-is-better approach to AI
is running out of road" (June 2023); Hugging Face, "Large Language Models: A New Moore's Law?" (October 2021);
The Conversation, "The overwhelming demand for computing power" (2024). tests/test_questions.py asks them all.
"""

from __future__ import annotations

import io
import re
import shlex
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

DOC = Path(__file__).parent.parent / "docs" / "questions.md"
A16Z, REGISTER, ECONOMIST = "a16z", "The Register", "The Economist"
MOST_FOUND = 10
HF, CONVERSATION = "Hugging Face", "The Conversation"


@dataclass(frozen=True, slots=True)
class Question:
    """One decision.

    id: S1 to S26. commands: what answers it, without `gpufare`. lines: shown of each answer. note: below it.
    find: lines further down that are shown too, a regular expression.
    """

    id: str
    asked_by: str
    asks: str
    commands: tuple[str, ...]
    lines: int = 12
    note: str = ""
    find: str = ""


GPT3 = "--model gpt-3-175b --tokens 300e9"
CHAT_70B = "serve --model llama-3.1-70b --requests-per-second 10"
SPREAD = (
    'sql "SELECT family, count(DISTINCT provider) AS providers, round(min(price_usd_per_gpu_hour), 2) '
    "AS lowest, round(median(price_usd_per_gpu_hour), 2) AS median, round(max(price_usd_per_gpu_hour), 2) "
    "AS highest FROM offers WHERE price_kind = 'on_demand' AND family IN ('a100', 'h100', 'h200', 'b200') "
    'AND NOT outdated AND \\"partition\\" IS NULL GROUP BY family ORDER BY family"'
)

QUESTIONS: tuple[Question, ...] = (
    Question(
        "S1", A16Z, "Which provider? One accelerator costs several times more at one than at another.",
        (SPREAD, "offers --gpu a100-80gb --kind on_demand --limit 5"),
    ),
    Question(
        "S2", A16Z, "What did every provider ask for a GPU on a given day?",
        ("offers --gpu a100-80gb --kind on_demand --as-of 2026-06-01 --limit 6",),
    ),
    Question(
        "S3", A16Z, "Can it be had? Listed is not in stock.",
        ("availability --gpu h100", "offers --gpu h100-sxm5-80gb --kind on_demand --limit 5"),
        note="No source of the shipped snapshot states stock, and unknown is not counted; a crawl fills the "
        "history, and plans that can rarely be had then come last.",
    ),
    Question(
        "S4", A16Z, "Commit for one to three years, or stay flexible, and what if the market falls?",
        ("commit machines --gpu h100 --gpus 8 --machines 4 --fall 0.2",), 18,
    ),
    Question(
        "S5", A16Z, "Own instance, spot, commitment or serverless by the second?",
        ("decide serve --model llama-3.1-8b --requests-per-second 0.02",), 14,
    ),
    Question(
        "S6", A16Z, "Which machines cannot do it at all for want of a fabric between them?",
        (f"recommend pretrain {GPT3} --gpu a100-80gb,h100 --deadline 90d --top 3",), 8,
        find="network|NVLink|cannot run it",
    ),
    Question(
        "S7", A16Z, "What do moving and storing the data cost beside the GPUs?",
        ("recommend images --model sdxl --images 1e6 --data-in aws/us-east-1:2000 --top 3 --explain 1",), 3,
        find="storage|traffic|egress|elsewhere",
    ),
    Question(
        "S8", A16Z, "How much memory does it take: to serve, and to train with the optimizer's state?",
        (
            "size serve --model gpt-3-175b --precision fp32 --on a100-sxm4-80gb:8",
            "size serve --model gpt-3-175b --precision fp32 --on a100-sxm4-80gb:16",
            "size finetune --model gpt2-xl --tokens 10e6 --seq-len 512 --on rtx-3080-ti-12gb",
        ), 8,
        "700 GB of fp32 weights are nine 80 GB GPUs; a 12 GB card does not train 1.5 billion parameters.",
    ),
    Question(
        "S9", A16Z, "How much work is one token: 2 x parameters to answer, 6 x to train?",
        (f"recommend pretrain {GPT3} --gpu a100-80gb --deadline 120d --top 1 --explain 1",), 2,
        find="FLOP per token|parameters",
        note="The step `FLOP per token`; the formulas are held by tests/test_sizing_formulas.py.",
    ),
    Question(
        "S10", A16Z, "What do a thousand tokens cost on an A100, and what does training GPT-3 cost?",
        (
            "recommend batch --model gpt-3-175b --total-requests 1e6 --gpu a100-80gb --top 1",
            f"recommend pretrain {GPT3} --gpu a100-80gb --deadline 120d --top 2",
        ), 6,
    ),
    Question(
        "S11", f"{A16Z}, {ECONOMIST}", "And TPU, Gaudi, Trainium, Inferentia?",
        (
            "recommend finetune --model llama-3.1-8b --tokens 50e6 --gpu trainium1,trainium2,tpu-v5e,tpu-v6e "
            "--kind on_demand,capacity_block --top 3",
            "recommend serve --model llama-3.1-8b --requests-per-second 5 --gpu inferentia2,trainium1",
        ), 8,
        "Rated where somebody measured it, `not rated` where nobody did.",
    ),
    Question(
        "S12", A16Z, "What does a latency target cost, and what would a batch overnight?",
        (f"levers {CHAT_70B} --ttft-ms 300 --tpot-ms 20",), 18,
    ),
    Question(
        "S13", A16Z, "Spikes of ten times, growth of half a week on week?",
        (
            "fleet --model llama-3.1-8b --requests-per-second 5 --spike 10 --spike-hours 2 "
            "--growth-per-week 0.5 --weeks 2 --max-providers 2",
        ), 26,
    ),
    Question(
        "S14", A16Z, "Rent, buy or call an API?", (f"decide {CHAT_70B}",), 26,
    ),
    Question(
        "S15", f"{A16Z}, {ECONOMIST}, {HF}", "What would quantisation, batching and the like save?",
        (f"levers {CHAT_70B}",), 18,
    ),
    Question(
        "S16", A16Z, "How have prices moved?",
        ("index --gpu h100,a100", "history --gpu a100-80gb --since 2026-08-01"), 10,
    ),
    Question(
        "S17", REGISTER, "Models age: what does retraining every week cost a year?",
        ("recommend finetune --model llama-3.1-70b --method lora --tokens 20e6 --every 7d --top 3",), 8,
        find="again every",
    ),
    Question(
        "S18", REGISTER, "GPT-3 on 1,024 A100, and a model of 530 billion parameters on 2,048, at AWS.",
        (
            f"size pretrain {GPT3} --on a100-sxm4-80gb:8:128",
            f"recommend pretrain {GPT3} --gpu a100-80gb --provider aws --deadline 90d --top 2",
            "size pretrain --model mt-nlg-530b --tokens 270e9 --on a100-sxm4-80gb:8:256",
        ), 12,
        "The article's plan was 128 machines for 816 hours at 40.96 USD, about 4.28 million: a run of 2021 "
        "that recomputed every activation. Ours is a tuned run of today, hence fewer hours, at its price.",
    ),
    Question(
        "S19", f"{REGISTER}, {HF}", "And on machines of one's own, with their power?",
        (f"decide pretrain {GPT3} --gpu a100-80gb --deadline 90d",), 26,
    ),
    Question(
        "S20", f"{ECONOMIST}, {HF}", "Would a smaller model on more tokens do?",
        (f"levers pretrain {GPT3} --deadline 120d", f"levers {CHAT_70B}"), 12,
    ),
    Question(
        "S21", ECONOMIST, "How many GPUs by precision: a model of GPT-3's class on one?",
        tuple(
            f"size serve --model gpt-3-175b --precision {name} --on h200-sxm-141gb:{gpus}"
            for name, gpus in (("fp16", 1), ("fp16", 4), ("int8", 2), ("int4", 1))
        ), 3,
    ),
    Question(
        "S22", f"{ECONOMIST}, {HF}", "A model of 65 billion parameters tuned on one GPU in a day?",
        (
            "size finetune --model llama-1-65b --method full --tokens 5e6 --on rtx-a6000-48gb",
            "size finetune --model llama-1-65b --method qlora --tokens 5e6 --seq-len 512 --global-batch 16 "
            "--on rtx-a6000-48gb",
            "levers finetune --model llama-1-65b --tokens 5e6 --seq-len 512 --global-batch 16",
        ), 14,
    ),
    Question(
        "S23", f"{ECONOMIST}, {HF}", "What would distillation, better kernels or a compiler bring?",
        (f"levers {CHAT_70B} --effect distillation=2.5",), 30,
    ),
    Question(
        "S24", HF, "How much carbon, and where is there less of it?",
        (
            "recommend serve --model llama-3.1-70b --requests-per-second 5 --provider gcp,aws,azure --top 1",
            "recommend serve --model llama-3.1-70b --requests-per-second 5 --max-co2-kg 500 --top 3",
        ), 7,
        find="carbon:",
    ),
    Question(
        "S25", HF, "Train, or tune what exists?",
        (
            "levers pretrain --model llama-2-7b --tokens 1e12 --deadline 60d",
            "recommend finetune --model llama-2-7b --method lora --tokens 50e6 --top 1",
            "recommend serve --model llama-2-7b --requests-per-second 2 --top 1",
        ), 8,
    ),
    Question(
        "S26", CONVERSATION, "Pay by the token, rent, or buy an A100: from which volume on?",
        ("decide serve --model llama-3.1-8b --requests-per-second 5 --gpu a100",), 30,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said. code: exit code."""

    code: int
    out: str
    err: str


def ask(home: str, command: str, *more: str) -> Answer:
    """Run one command on the market of `home`."""
    from gpufare.cli.main import main as cli

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli(["--home", home, *shlex.split(command), *more])
    return Answer(code, out.getvalue(), err.getvalue())


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory(prefix="gpufare-questions-") as home:
        DOC.write_text(page(home, datetime.now(UTC)), "utf-8")
    print(f"{DOC}: {len(QUESTIONS)} questions")


def page(home: str, now: datetime) -> str:
    """The whole page as Markdown."""
    from warehouse.bundled import bundled_date

    parts = [
        "# What people must decide, and what gpufare answers",
        "",
        "Written by `python -m bench.questions`; do not edit. The answers are those of the market that ships "
        f"inside the package (newest price {bundled_date():%Y-%m-%d}), asked on {now:%Y-%m-%d}; after a "
        "crawl they are today's. Long answers are cut (`...`). Exit code 4: answered from stale prices; "
        "3: nothing can.",
        "",
    ]
    for question in QUESTIONS:
        parts += _section(home, question)
    return "\n".join(parts)


def _section(home: str, question: Question) -> list[str]:
    parts = [f"## {question.id}. {question.asks}", "", f"Asked by {question.asked_by}.", ""]
    for command in question.commands:
        answer = ask(home, command)
        lines = [line.rstrip() for line in (answer.out or answer.err).rstrip().splitlines()]
        rest = [*lines[question.lines :], *(answer.err.splitlines() if answer.out else [])]
        found = [line for line in rest if question.find and re.search(question.find, line)]
        cut = ["..."] if len(lines) > question.lines else []
        shown = [*lines[: question.lines], *cut, *found[:MOST_FOUND]]
        parts += ["```", f"$ gpufare {command}", *shown, f"(exit code {answer.code})", "```", ""]
    return parts + ([question.note, ""] if question.note else [])


if __name__ == "__main__":
    main()
