"""The words of a question: every field of a workload and of its limits, once.

Command line, workload files, their schema and the validation all read this table, so that a field has one
name, one meaning and one range wherever it is written.
"""

from __future__ import annotations

from dataclasses import dataclass

SERVE, BATCH, IMAGES, FINETUNE, PRETRAIN = "serve", "batch", "images", "finetune", "pretrain"
TASKS = (SERVE, BATCH, IMAGES, FINETUNE, PRETRAIN)
TRAINING = (FINETUNE, PRETRAIN)
TEXT_OUT = (SERVE, BATCH)
JOBS = (BATCH, IMAGES, FINETUNE, PRETRAIN)
WITH_TOKENS = (*TEXT_OUT, *TRAINING)
INDEPENDENT = (BATCH, IMAGES)
"""Jobs whose machines need nothing from each other, so that any number of them may share the work."""
TEXT, NUMBER, WHOLE, SWITCH, NAMES, DURATION, PLACES = (
    "text",
    "number",
    "whole number",
    "true or false",
    "list of names",
    "length of time",
    "list of REGION:GB",
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        name: as in Python and in files; the flag has dashes.
        kind: what its value is, one of the constants above.
        help: one line.
        tasks: tasks that it goes with, empty for all.
        low, high: range of a number, None for none.
        flag: on the command line where it is not the name with dashes. key: in files where it differs.
    """

    name: str
    kind: str
    help: str
    tasks: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    flag: str = ""
    key: str = ""

    @property
    def option(self) -> str:
        """The flag of the command line."""
        return self.flag or "--" + self.name.replace("_", "-")

    @property
    def file_key(self) -> str:
        """The key in a workload file: the flag without its dashes."""
        return self.key or self.option.removeprefix("--").replace("-", "_")


WORKLOAD_FIELDS = (
    Field("model", TEXT, "Name (gpufare models), or the path of a config.json."),
    Field("params", NUMBER, "Parameters instead of a model: 70e9.", WITH_TOKENS, 1e5, 1e15),
    Field("active_params", NUMBER, "Active parameters of a mixture of experts.", WITH_TOKENS, 1e5, 1e15),
    Field("precision", TEXT, "bf16, fp8, int4 ... (default: the checkpoint's own).", WITH_TOKENS),
    Field("requests_per_second", NUMBER, "Mean rate to serve.", (SERVE,), 1e-6, 1e7),
    Field("peak_factor", NUMBER, "Peak rate over mean rate.", (SERVE,), 1, 1000),
    Field("input_tokens", WHOLE, "Mean prompt length.", TEXT_OUT, 1, 100_000_000),
    Field("output_tokens", WHOLE, "Mean answer length.", TEXT_OUT, 1, 100_000_000),
    Field("ttft_ms", NUMBER, "Target for the time to the first token.", (SERVE,), 0.1, 1e7),
    Field("tpot_ms", NUMBER, "Target for the time per output token.", (SERVE,), 0.01, 1e7),
    Field("engine", TEXT, "trtllm, vllm or sglang (default: their mean).", TEXT_OUT),
    Field("kv_precision", TEXT, "Of the cache: bf16 or fp8 (default: 16 bit).", TEXT_OUT),
    Field("accept_rate", NUMBER, "Drafted tokens accepted (speculative decoding): 0.7.", TEXT_OUT, 0, 0.99),
    Field("cached_share", NUMBER, "Share of prompts already cached (shared prefixes).", TEXT_OUT, 0, 0.99),
    Field("total_requests", NUMBER, "Requests of the whole batch: 1e6.", (BATCH,), 1, 1e15),
    Field("images", NUMBER, "Images to make: 100000.", (IMAGES,), 1, 1e13),
    Field("width", WHOLE, "Pixels across (default: the model's usual).", (IMAGES,), 64, 8192),
    Field("height", WHOLE, "Pixels down (default: the model's usual).", (IMAGES,), 64, 8192),
    Field("steps", WHOLE, "Denoising steps per image (default: the model's usual).", (IMAGES,), 1, 1000),
    Field("tokens", NUMBER, "Tokens to train on, all epochs: 1e9.", TRAINING, 1, 1e17),
    Field("method", TEXT, "full, lora or qlora.", TRAINING),
    Field("seq_len", WHOLE, "Tokens of a training sequence.", TRAINING, 1, 100_000_000),
    Field("global_batch", WHOLE, "Sequences per optimizer step.", TRAINING, 1, 10_000_000),
    Field("every_hours", DURATION, "Run again this often: 7d, 30d.", JOBS, 1, 1e6, flag="--every"),
)
LIMIT_FIELDS = (
    Field("gpus", NAMES, "Accelerators, separated by commas: h100,a100-80gb.", flag="--gpu"),
    Field("gpu_count", WHOLE, "GPUs in the machine, exactly.", low=1, high=100_000, flag="--gpus"),
    Field("min_memory_gb", NUMBER, "Memory of one GPU, at least.", low=0, high=1e6),
    Field("providers", NAMES, "Providers, separated by commas.", flag="--provider"),
    Field("regions", NAMES, "As the provider writes it.", flag="--region"),
    Field("countries", NAMES, "Two letters: DE.", flag="--country"),
    Field("continents", NAMES, "europe, north_america, asia ...", flag="--continent"),
    Field("kinds", NAMES, "on_demand,spot,reserved ... (default: on demand).", flag="--kind"),
    Field("term_months", WHOLE, "Exactly this commitment.", low=1, high=120),
    Field("commit_months", WHOLE, "Commitments up to this length are fine.", low=0, high=120),
    Field(
        "max_price_usd_per_gpu_hour",
        NUMBER,
        "USD per GPU-hour.",
        low=0,
        high=1e9,
        flag="--max-price",
    ),
    Field("available_only", SWITCH, "Only what the provider says can be had now.", flag="--available"),
    Field("include_sold_out", SWITCH, "Offers known to be sold out too.", flag="--sold-out"),
    Field("interconnect", TEXT, "As printed: NVLink, SXM, PCIe."),
    Field("spot_ok", SWITCH, "Interruptible machines are fine."),
    Field(
        "on_demand_floor",
        NUMBER,
        "Share of a service's machines that is never spot: 0.5.",
        (SERVE,),
        0,
        1,
    ),
    Field("budget_usd", NUMBER, "USD for the job; per month for serve.", low=0, high=1e15, flag="--budget"),
    Field("deadline_hours", DURATION, "The job ends within: 36h, 10d.", flag="--deadline", low=0, high=1e6),
    Field("max_co2_kg", NUMBER, "kg CO2e of the job; per month for serve.", low=0, high=1e12),
    Field("data_in", PLACES, "Where the data is, and how much: aws/us-east-1:500."),
    Field("rank_by", TEXT, "cost or time (default: cost; time where only a budget is given)."),
    Field("top", WHOLE, "Plans to show.", low=1, high=10_000),
)
_ALL = {field.name: field for field in (*WORKLOAD_FIELDS, *LIMIT_FIELDS)}


def field(name: str) -> Field:
    """The field of this Python name."""
    return _ALL[name]


def parse_duration_hours(text: str, option: str = "--deadline") -> float:
    """Hours of "36h", "10d", "2w" or a bare number of hours. Raises UsageError."""
    from warehouse.errors import UsageError

    units = {"h": 1.0, "d": 24.0, "w": 168.0}
    number, unit = (text[:-1], units[text[-1]]) if text and text[-1] in units else (text, 1.0)
    try:
        hours = float(number) * unit
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a length of time; examples: 36h, 10d") from None
    if not 0 <= hours < 1e6:
        raise UsageError(f"{option} {text!r} is not a length of time; examples: 36h, 10d")
    return hours
