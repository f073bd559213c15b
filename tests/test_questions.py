"""Every decision of the founding articles is answered on the bundled market, and the page lists them all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from bench.questions import DOC, QUESTIONS, ask
from gpufare.exit_codes import ExitCode

Rows = list[dict[str, Any]]
ANSWERED = (ExitCode.OK, ExitCode.STALE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("questions"))


class Asker:
    """Asks one question's commands as JSON."""

    def __init__(self, home: str, identifier: str) -> None:
        self.home = home
        self.commands = next(question for question in QUESTIONS if question.id == identifier).commands

    def rows(self, place: int = 0) -> Rows:
        """The rows of an answer that was given."""
        code, data, _ = self.answer(place)
        assert code in ANSWERED
        return data

    def answer(self, place: int = 0) -> tuple[int, Rows, list[str]]:
        """Exit code, rows, warnings."""
        found = ask(self.home, self.commands[place], "--json")
        body = json.loads(found.out)
        return found.code, body["data"], body["warnings"]

    def text(self, place: int = 0) -> tuple[int, str]:
        """Exit code and everything that was printed."""
        found = ask(self.home, self.commands[place])
        return found.code, found.out + found.err


def s1(ask_: Asker) -> None:
    spread = {row["family"]: row for row in ask_.rows(0)}
    assert spread["a100"]["highest"] / spread["a100"]["lowest"] >= 4  # a16z: nearly 4x
    prices = [row["price_usd_per_gpu_hour"] for row in ask_.rows(1)]
    assert prices == sorted(prices)


def s2(ask_: Asker) -> None:
    rows = ask_.rows()
    assert len({row["provider"] for row in rows}) >= 2
    assert all(row["observed_at"] < "2026-06-02" for row in rows)


def s3(ask_: Asker) -> None:
    code, said = ask_.text(0)
    assert code in (*ANSWERED, ExitCode.NOTHING)
    assert "unknown is not counted" in said or "available" in said
    assert all("available" in row for row in ask_.rows(1))


def s4(ask_: Asker) -> None:
    best = ask_.rows()[0]
    assert best["usd_per_month"] > 0
    assert ask_.rows()[0]["saving"] > 0
    assert any(row["committed_machines"] for row in ask_.rows())


def s5(ask_: Asker) -> None:
    ways = {row["way"]: row["usd"] for row in ask_.rows()}
    assert {"on_demand", "spot", "committed", "serverless", "api"} <= set(ways)
    assert ways["serverless"] < ways["committed"]  # a machine that idles costs more than busy seconds


def s6(ask_: Asker) -> None:
    code, rows, warnings = ask_.answer()
    assert code in ANSWERED
    assert all(row["nodes"] > 1 for row in rows)
    assert any("network" in reason for reason in rows[0]["reasons"])
    assert any(text.startswith("cannot run it") and "network between them" in text for text in warnings)


def s7(ask_: Asker) -> None:
    rows = ask_.rows()
    row = rows[0]
    beside = row["cost_usd"]["p50"] - row["machines_usd"]["p50"]
    assert beside > 0.09 * 1500  # 2 TB out of AWS alone
    assert any(reason.startswith("traffic") for reason in row["reasons"])


def s8(ask_: Asker) -> None:
    eight, sixteen, small = (ask_.answer(place) for place in range(3))
    assert eight[0] == ExitCode.NOTHING
    assert eight[1][0]["fits"] is False
    assert eight[1][0]["memory_per_gpu_gb"] * 8 > 700  # weights in fp32 alone
    assert sixteen[1][0]["fits"] is True
    assert small[1][0]["fits"] is False
    assert small[1][0]["memory_per_gpu_gb"] > 12


def s9(ask_: Asker) -> None:
    said = " ".join(ask_.rows()[0]["reasons"])
    found = re.search(r"([\d,.]+) GFLOP per token", said)
    assert found is not None
    per_token = float(found.group(1).replace(",", "")) * 1e9
    assert per_token * 300e9 == pytest.approx(3.14e23, rel=0.05)
    assert per_token == pytest.approx(6 * 175e9, rel=0.05)


def s10(ask_: Asker) -> None:
    batch, training = ask_.rows(0)[0], ask_.rows(1)[0]
    per_thousand = batch["cost_usd"]["p50"] / (1e6 * 1250) * 1000
    assert 0.0002 <= per_thousand <= 0.02
    assert 0.5e6 <= training["cost_usd"]["p50"] <= 4.6e6  # a16z: what it cost in practice


def s11(ask_: Asker) -> None:
    parts = {row["accelerator_id"] for row in ask_.rows(0)}
    assert parts
    assert parts <= {"trainium1", "trainium2", "tpu-v5e", "tpu-v6e"}
    code, said = ask_.text(1)
    assert code == ExitCode.NOTHING
    assert "not rated" in said


def s12(ask_: Asker) -> None:
    levers = {row["lever"]: row for row in ask_.rows()}
    today = levers["no_latency_target"]["today_usd"]
    assert levers["no_latency_target"]["usd"] < today
    assert levers["batch"]["usd"] < today / 3  # a16z: 3-4 times cheaper


def s13(ask_: Asker) -> None:
    code, rows, warnings = ask_.answer()
    assert code in ANSWERED
    assert len({row["provider"] for row in rows}) <= 2
    assert sum(row["share_of_requests"] for row in rows) == pytest.approx(1, abs=0.001)
    following = next(text for text in warnings if "standing at the peak" in text)
    peak, known = (float(text.replace(",", "")) for text in re.findall(r"([\d,]+) USD", following))
    assert known < peak / 2


def s14(ask_: Asker) -> None:
    assert {"on_demand", "own", "api"} <= {row["way"] for row in ask_.rows()}
    usd = [row["usd"] for row in ask_.rows()]
    assert usd == sorted(usd)


def s15(ask_: Asker) -> None:
    levers = {row["lever"]: row for row in ask_.rows()}
    assert {"fp8", "int8", "int4", "batch", "spot", "api"} <= set(levers)
    assert levers["int4"]["usd"] < levers["int4"]["today_usd"]


def s16(ask_: Asker) -> None:
    assert {row["name"] for row in ask_.rows(0)} >= {"h100", "a100"}
    days = [row["day"] for row in ask_.rows(1)]
    assert len(days) >= 5
    assert days == sorted(days)


def s17(ask_: Asker) -> None:
    row = ask_.rows()[0]
    said = next(reason for reason in row["reasons"] if reason.startswith("again every"))
    found = re.search(r"([\d.]+) runs a year cost ([\d,.]+) USD", said)
    assert found is not None
    assert float(found.group(1)) == pytest.approx(52.1, abs=0.1)
    yearly = float(found.group(2).replace(",", ""))
    assert yearly == pytest.approx(row["cost_usd"]["p50"] * 8760 / 168, rel=0.01)


def s18(ask_: Asker) -> None:
    sized = ask_.rows(0)[0]
    assert sized["fits"] is True
    # 34 days measured with full recomputation in 2021; ours is a tuned run today, so shorter, not longer
    assert 300 <= sized["hours"]["p50"] <= 816
    row = ask_.rows(1)[0]
    assert row["provider"] == "aws"
    assert row["instance_type"].startswith("p4de")
    assert row["cost_usd"]["p50"] < 4.28e6
    assert ask_.rows(2)[0]["nodes"] == 256


def s19(ask_: Asker) -> None:
    own = [row for row in ask_.rows() if row["way"] == "own"]
    assert own
    assert all(row["upfront_usd"] > 1e6 for row in own)
    assert all("power" in row["how"] for row in own)


def s20(ask_: Asker) -> None:
    levers = {row["lever"]: row for row in ask_.rows(0)}
    assert "smaller model on more tokens" in levers["compute_optimal"]["title"]
    assert levers["compute_optimal"]["usd"] < levers["compute_optimal"]["today_usd"]
    assert {row["lever"] for row in ask_.rows(1)} >= {"smaller_model"}


def s21(ask_: Asker) -> None:
    fits = [ask_.answer(place)[1][0] for place in range(4)]
    assert [row["fits"] for row in fits] == [False, True, True, True]
    assert [row["gpus_per_node"] for row in fits] == [1, 4, 2, 1]


def s22(ask_: Asker) -> None:
    full, adapters = ask_.answer(0)[1][0], ask_.answer(1)[1][0]
    assert full["fits"] is False
    assert adapters["fits"] is True
    assert adapters["gpus_per_node"] * adapters["nodes"] == 1
    assert adapters["hours"]["p50"] <= 24
    levers = {row["lever"]: row for row in ask_.rows(2)}
    assert levers["qlora"]["usd"] <= levers["lora"]["usd"] < levers["lora"]["today_usd"]


def s23(ask_: Asker) -> None:
    levers = {row["lever"]: row for row in ask_.rows()}
    assert levers["distillation"]["saves_usd"] > 0
    assert levers["kernels"]["counted_already"]
    assert levers["compilers"]["counted_already"]
    assert {levers[name]["basis"] for name in ("distillation", "kernels")} == {"published effect"}


def s24(ask_: Asker) -> None:
    free, limited = ask_.rows(0)[0], ask_.rows(1)[0]
    assert free["co2e_kg"] > 500
    assert 0 < limited["co2e_kg"] <= 500
    assert limited["cost_usd"]["p50"] >= free["cost_usd"]["p50"]


def s25(ask_: Asker) -> None:
    tuned = next(row for row in ask_.rows(0) if row["lever"] == "finetune_instead")
    assert tuned["usd"] < tuned["today_usd"] / 100
    assert ask_.rows(1)[0]["cost_per"] == "job"
    assert ask_.rows(2)[0]["cost_per"] == "month"


def s26(ask_: Asker) -> None:
    code, rows, warnings = ask_.answer()
    assert code in ANSWERED
    ways = {row["way"]: row for row in rows}
    assert {"api", "own", "on_demand"} <= set(ways)
    assert 5_000 <= min(row["upfront_usd"] for row in rows if row["way"] == "own") <= 30_000
    assert any("requests" in text and "API" in text for text in warnings)


CHECKS: dict[str, Callable[[Asker], None]] = {
    name.upper(): check for name, check in dict(globals()).items() if re.fullmatch(r"s\d+", name)
}
IDENTIFIERS: list[str] = [f"S{number}" for number in range(1, 27)]


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_the_decision_is_answered(home: str, identifier: str) -> None:
    CHECKS[identifier](Asker(home, identifier))


def test_every_decision_has_its_question_and_its_check() -> None:
    assert [question.id for question in QUESTIONS] == IDENTIFIERS
    assert set(CHECKS) == set(IDENTIFIERS)


def test_the_page_lists_every_decision_with_its_commands() -> None:
    page = DOC.read_text("utf-8")
    for question in QUESTIONS:
        assert f"## {question.id}. {question.asks}\n" in page
        section = page.split(f"## {question.id}. ", 1)[1].split("\n## ", 1)[0]
        for command in question.commands:
            assert f"$ gpufare {command}\n" in section, f"run: python -m bench.questions ({question.id})"
    assert "internal error" not in page
