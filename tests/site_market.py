"""A small published market for the tests of the site, made by SQL from the schema in docs/architecture.md."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from reports.build_views.jobs import JobAnswer
from warehouse.reference import accelerators

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SHA = "ab" * 32

HOSTILE_TEXT = '<script>alert("x")</script> \u202egpj.exe'


def source(provider: str, state: str, **changed: object) -> dict[str, object]:
    """One record of the list of sources, as `gpufare.source_list` gives it."""
    record: dict[str, object] = {
        "provider": provider,
        "title": provider.title(),
        "homepage": f"https://{provider}.example/prices",
        "state": state,
        "reason": None,
        "last_run_at": None,
        "last_good_at": None,
        "age_hours": None,
        "not_asked": None,
        "price_kinds": ["on_demand"],
        "proof": "documented",
        "hosts": [f"api.{provider}.example"],
        "credential": [],
        "needs_credential": False,
        "first_party": True,
    }
    return {**record, **changed}


SOURCES = (
    source("never", "never asked"),
    source(
        "alpha", "good", last_good_at=NOW - timedelta(hours=3), proof="recorded", credential=["ALPHA_KEY"]
    ),
    source("broken", "failed", reason="HTTP 503", last_good_at=NOW - timedelta(days=9)),
    source(
        "locked",
        "needs LOCKED_API_KEY",
        not_asked="needs LOCKED_API_KEY",
        credential=["LOCKED_API_KEY"],
        needs_credential=True,
        hosts=[f"h{number}.locked.example" for number in range(8)],
    ),
    source(
        "evil",
        "held",
        title=HOSTILE_TEXT,
        homepage="javascript:alert(1)",
        reason=HOSTILE_TEXT * 9,
        not_asked="off by default: not read",
        price_kinds=["token_price", "savings_plan"],
        first_party=False,
    ),
)

PARTS = (
    "a100-pcie-80gb",
    "a100-sxm4-80gb",
    "h100-pcie-80gb",
    "h100-sxm5-80gb",
    "l4-24gb",
    "l40s-48gb",
)
"""The reference table of these markets: few parts, so that a test builds few pages."""

TABLES = {
    "offers": """
        offer_id UBIGINT, provider VARCHAR, source VARCHAR, instance_type VARCHAR, accelerator_id VARCHAR,
        candidates VARCHAR[], family VARCHAR, partition VARCHAR, gpu_name_raw VARCHAR, gpu_count DOUBLE,
        gpu_memory_gb DOUBLE, interconnect VARCHAR, vcpus DOUBLE, memory_gib DOUBLE, disk_gb DOUBLE, region
        VARCHAR, country VARCHAR, continent VARCHAR, price_kind VARCHAR, term_months INTEGER, price_per_hour
        DOUBLE, currency VARCHAR, price_raw DOUBLE, price_unit VARCHAR, price_usd_per_hour DOUBLE,
        price_usd_per_gpu_hour DOUBLE, fx_rate DOUBLE, fx_date DATE, available BOOLEAN, available_count
        BIGINT, is_floor BOOLEAN, effective_from DATE, observed_at TIMESTAMPTZ, price_since TIMESTAMPTZ,
        first_party BOOLEAN, origin VARCHAR, outdated BOOLEAN, missing_runs INTEGER,
        billing_increment_seconds INTEGER,
        minimum_seconds INTEGER, kind VARCHAR, offer_key VARCHAR, machine_id VARCHAR, note VARCHAR,
        interruption_rate_low DOUBLE, interruption_rate_high DOUBLE,
        source_url VARCHAR, run_id VARCHAR, body_sha256 VARCHAR""",
    "price_days": """
        day DATE, provider VARCHAR, accelerator_id VARCHAR, candidates VARCHAR[], family VARCHAR,
        price_kind VARCHAR, min_usd_per_gpu_hour DOUBLE, median_usd_per_gpu_hour DOUBLE, offers INTEGER,
        first_party BOOLEAN, origin VARCHAR, source_url VARCHAR""",
    "changes": """
        "at" TIMESTAMPTZ, change VARCHAR, offer_id UBIGINT, provider VARCHAR, instance_type VARCHAR,
        accelerator_id VARCHAR, region VARCHAR, price_kind VARCHAR, old_usd_per_gpu_hour DOUBLE,
        new_usd_per_gpu_hour DOUBLE""",
    "runs": """
        run_id VARCHAR, provider VARCHAR, observed_at TIMESTAMPTZ, loaded_at TIMESTAMPTZ, state VARCHAR,
        reason VARCHAR, origin VARCHAR, offers BIGINT, rejected BIGINT, held BIGINT, requests BIGINT,
        seconds DOUBLE, parser_version VARCHAR, partial BOOLEAN, sources_json VARCHAR, unused_fields_json
        VARCHAR""",
    "providers": """
        provider VARCHAR, title VARCHAR, homepage VARCHAR, kind VARCHAR, first_party BOOLEAN, price_kinds
        VARCHAR[], refetch_hours DOUBLE, proof VARCHAR, last_run_at TIMESTAMPTZ, last_run_state VARCHAR,
        last_run_reason VARCHAR, last_good_at TIMESTAMPTZ, offers BIGINT, held BIGINT,
        billing_increment_seconds INTEGER, minimum_seconds INTEGER""",
    "quarantine": """
        id VARCHAR, run_id VARCHAR, provider VARCHAR, offer_id UBIGINT, rule VARCHAR, level VARCHAR,
        evidence VARCHAR, first_seen TIMESTAMPTZ, last_seen TIMESTAMPTZ, confirmations INTEGER, status
        VARCHAR, instance_type VARCHAR, gpu_name_raw VARCHAR, region VARCHAR, price_kind VARCHAR,
        price_usd_per_gpu_hour DOUBLE, source_url VARCHAR""",
    "fx_rates": """
        rate_date DATE, currency VARCHAR, usd_per_unit DOUBLE, units_per_eur DOUBLE, source_url VARCHAR""",
    "meta": "key VARCHAR, value VARCHAR",
}


@dataclass
class SmallMarket:
    """Rows to be; `build` writes the file. Each `add` fills what it is not told with plain values."""

    now: datetime = NOW
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in TABLES})

    def offer(self, provider: str, accelerator_id: str | None, usd: float, **changed: Any) -> SmallMarket:
        """One offer at `usd` per GPU-hour, seen three hours ago unless told otherwise."""
        candidates = changed.pop("candidates", [accelerator_id])
        gpus = changed.pop("gpu_count", 8.0)
        part = accelerators().get(accelerator_id or candidates[0])
        number = len(self.rows["offers"]) + 1
        row = {
            "offer_id": number,
            "provider": provider,
            "source": provider,
            "instance_type": f"gpu-{gpus:g}x",
            "accelerator_id": accelerator_id,
            "candidates": candidates,
            "family": part.family if part else None,
            "gpu_name_raw": part.title if part else "mystery",
            "gpu_count": gpus,
            "region": "us-east-1",
            "country": "US",
            "continent": "north_america",
            "price_kind": "on_demand",
            "price_per_hour": usd * gpus,
            "currency": "USD",
            "price_raw": usd * gpus,
            "price_unit": "per instance-hour",
            "price_usd_per_hour": usd * gpus,
            "price_usd_per_gpu_hour": usd,
            "is_floor": False,
            "observed_at": self.now - timedelta(hours=3),
            "price_since": self.now - timedelta(days=9),
            "first_party": True,
            "origin": "live",
            "outdated": False,
            "missing_runs": 0,
            "kind": "list",
            "source_url": f"https://{provider}.example/prices",
            "run_id": f"20261121T060000Z-{provider}"[:40],
            "body_sha256": SHA,
        }
        self.rows["offers"].append({**row, **changed})
        return self

    def provider(self, provider: str, **changed: Any) -> SmallMarket:
        """One provider whose last run was good, three hours ago, and that run."""
        at = self.now - timedelta(hours=3)
        row = {
            "provider": provider,
            "title": provider.title(),
            "homepage": f"https://{provider}.example/",
            "kind": "list",
            "first_party": True,
            "price_kinds": ["on_demand", "spot"],
            "refetch_hours": 24.0,
            "last_run_at": at,
            "last_run_state": "good",
            "last_good_at": at,
            "offers": 1,
            "held": 0,
            "billing_increment_seconds": 1,
        }
        row.update(changed)
        self.rows["providers"].append(row)
        run = {
            "run_id": f"run-{provider}"[:40],
            "provider": provider,
            "observed_at": row["last_run_at"],
            "loaded_at": row["last_run_at"],
            "state": row["last_run_state"],
            "reason": row.get("last_run_reason"),
            "origin": "live",
            "offers": 12,
            "rejected": 0,
            "held": 0,
            "requests": 3,
            "seconds": 4.2,
            "parser_version": "1",
            "partial": False,
        }
        self.rows["runs"].append(run)
        return self

    def history(
        self, provider: str, accelerator_id: str, start: float, end: float, weeks: int = 53
    ) -> SmallMarket:
        """Weekly prices that go from `start` to `end`."""
        family = accelerators()[accelerator_id].family
        for week in range(weeks):
            price = start + (end - start) * week / max(1, weeks - 1)
            self.rows["price_days"].append(
                {
                    "day": self.now.date() - timedelta(days=7 * (weeks - 1 - week)),
                    "provider": provider,
                    "accelerator_id": accelerator_id,
                    "candidates": [accelerator_id],
                    "family": family,
                    "price_kind": "on_demand",
                    "min_usd_per_gpu_hour": price * 0.9,
                    "median_usd_per_gpu_hour": price,
                    "offers": 3,
                    "first_party": True,
                    "origin": "live",
                }
            )
        return self

    def change(self, provider: str, old: float | None, new: float | None, **changed: Any) -> SmallMarket:
        """A repricing of the day unless told otherwise."""
        row = {
            "at": self.now - timedelta(hours=3),
            "change": "repriced",
            "offer_id": len(self.rows["changes"]) + 1,
            "provider": provider,
            "instance_type": "gpu-8x",
            "accelerator_id": "h100-sxm5-80gb",
            "region": "us-east-1",
            "price_kind": "on_demand",
            "old_usd_per_gpu_hour": old,
            "new_usd_per_gpu_hour": new,
        }
        self.rows["changes"].append({**row, **changed})
        return self

    def held(self, provider: str, rule: str, evidence: str, **changed: Any) -> SmallMarket:
        """A row in quarantine."""
        row = {
            "id": f"q{len(self.rows['quarantine']) + 1}",
            "run_id": f"run-{provider}"[:40],
            "provider": provider,
            "rule": rule,
            "level": "Q",
            "evidence": evidence,
            "first_seen": self.now - timedelta(hours=3),
            "confirmations": 0,
            "status": "held",
            "gpu_name_raw": "H100",
            "region": "us-east-1",
            "price_kind": "on_demand",
            "price_usd_per_gpu_hour": 80.0,
            "source_url": f"https://{provider}.example/prices",
        }
        self.rows["quarantine"].append({**row, **changed})
        return self

    def build(self, path: Path | None = None) -> duckdb.DuckDBPyConnection:
        """The market as a connection: in memory, or written to `path` and opened read-only as readers do."""
        con = duckdb.connect(str(path) if path else ":memory:")
        con.execute("SET TimeZone = 'UTC'")
        for name, columns in TABLES.items():
            con.execute(f"CREATE TABLE {name} ({columns})")
            for row in self.rows[name]:
                con.execute(
                    f"INSERT INTO {name} ({_quoted(row)}) VALUES ({', '.join('?' * len(row))})",
                    list(row.values()),
                )
        _write_accelerators(con)
        con.execute("INSERT INTO meta VALUES ('schema_version', '1')")
        if path is None:
            return con
        con.close()
        return duckdb.connect(
            str(path),
            read_only=True,
            config={"enable_external_access": "false", "lock_configuration": "true"},
        )


def _quoted(row: dict[str, Any]) -> str:
    return ", ".join(f'"{name}"' for name in row)


def _write_accelerators(con: duckdb.DuckDBPyConnection) -> None:
    import pyarrow as pa

    rows = [asdict(accelerators()[name]) for name in PARTS]
    for row in rows:
        row["weak_fields"] = list(row["weak_fields"])
        row["derived_fields"] = list(row["derived_fields"])
    table = pa.Table.from_pylist(rows)
    con.register("parts", table)
    con.execute("CREATE TABLE accelerators AS SELECT * FROM parts")
    con.unregister("parts")


def ordinary(now: datetime = NOW) -> SmallMarket:
    """A market with a bit of everything: parts, providers, one that failed, history, changes, held rows."""
    market = SmallMarket(now)
    for name, h100, l40s in (
        ("alpha", 2.5, 1.1),
        ("beta", 3.4, 0.9),
        ("gamma", 6.9, 1.9),
        ("delta", 11.1, 2.4),
    ):
        market.provider(name)
        market.offer(name, "h100-sxm5-80gb", h100, available=True, available_count=3)
        market.offer(
            name, "h100-sxm5-80gb", h100 * 0.45, price_kind="spot", observed_at=now - timedelta(hours=1)
        )
        market.offer(name, "h100-sxm5-80gb", h100 * 0.7, price_kind="reserved", term_months=12)
        market.offer(name, "l40s-48gb", l40s, gpu_count=1.0, region="eu-west-2", country="GB")
        market.history(name, "h100-sxm5-80gb", h100 * 1.2, h100).history(name, "l40s-48gb", l40s * 0.8, l40s)
    market.offer("alpha", "l40s-48gb", 0.4, available=False)
    market.offer("beta", "l40s-48gb", 0.3, is_floor=True)
    market.offer("beta", "l40s-48gb", 0.2, partition="1/4", gpu_count=0.25)
    market.offer("beta", None, 1.9, candidates=["a100-sxm4-80gb", "a100-pcie-80gb"], gpu_name_raw="A100 80GB")
    market.offer(
        "gamma",
        "l4-24gb",
        0.7,
        currency="EUR",
        price_raw=0.6,
        price_unit="per gpu-hour",
        fx_date=now.date(),
        fx_rate=1.16,
    )
    market.rows["fx_rates"].append(
        {
            "rate_date": now.date(),
            "currency": "EUR",
            "usd_per_unit": 1.1666,
            "units_per_eur": 1.0,
            "source_url": "https://www.ecb.example/",
        }
    )
    market.provider(
        "broken",
        last_run_state="failed",
        last_run_reason="https://broken.example/prices answered 503",
        offers=0,
    )
    market.change("alpha", 2.9, 2.5).change("beta", 3.0, 3.4)
    market.change("gamma", None, 1.9, change="new", accelerator_id="l40s-48gb", price_kind="spot")
    market.change("delta", 1.2, None, change="missing", at=now - timedelta(days=1, hours=3))
    market.held("alpha", "R4", "80.00 is 8 times the median 10.00: the machine's price read as one GPU's?")
    market.held("gamma", "R2", "GPU name 'H1OO' is not known")
    return market


def plan_row(rank: int, usd: float, **changed: Any) -> dict[str, Any]:
    """A row as `gpufare recommend --json` prints it."""
    row = {
        "rank": rank,
        "provider": "alpha",
        "instance_type": "gpu-8x",
        "accelerator_id": "h100-sxm5-80gb",
        "gpus_per_node": 8,
        "nodes": 1,
        "replicas": 1,
        "region": "us-east-1",
        "price_kind": "on_demand",
        "term_months": None,
        "layout": {"tp": 8, "pp": 1, "dp": 1, "ep": 1, "micro_batch": 2, "zero": 1, "recompute": "selective"},
        "precision": "bf16",
        "memory_per_gpu_gb": 61.2,
        "memory_capacity_gb": 79.6,
        "throughput": 12_345.6,
        "ttft_ms": 231.0,
        "tpot_ms": 18.2,
        "hours": {"p10": 40.0, "p50": 52.0, "p90": 71.0},
        "cost_usd": {"p10": usd * 0.8, "p50": usd, "p90": usd * 1.4},
        "usd_per_million_tokens": 0.31,
        "price_usd_per_hour": 20.0,
        "egress_usd": None,
        "storage_usd": None,
        "co2e_kg": None,
        "availability": "available",
        "pareto": rank == 1,
        "reasons": [f"Weights take 16.1 GB in bf16 (reason {rank}).", "Bandwidth bounds decoding."],
        "offer": {
            "available": True,
            "age_hours": 3.0,
            "source_url": "https://alpha.example/prices",
            "run_id": "run-alpha",
            "body_sha256": SHA,
        },
    }
    return {**row, **changed}


def answers() -> list[JobAnswer]:
    """Two answered jobs and one that nothing can run."""
    serve = [plan_row(1, 1460.0), plan_row(2, 1810.0, provider="beta"), plan_row(3, 2900.0, provider="gamma")]
    train = [plan_row(1, 812_000.0, nodes=16), plan_row(2, 990_000.0, nodes=16, cost_usd=None, hours=None)]

    def answer(
        job_id: str, title: str, question: str, task: str, plans: list[dict[str, Any]], *refused: str
    ) -> JobAnswer:
        command = f"gpufare recommend {task} --params 7e9"
        return JobAnswer(job_id, title, question, task, command, plans, refused, ["Prices are old."])

    return [
        answer(
            "serve-8b",
            "Serve Llama 3.1 8B",
            "5 requests a second.",
            "serve",
            serve,
            "l4-24gb: 24 GB are too few.",
        ),
        answer("pretrain-7b", "Pretrain a 7B model", "140 billion tokens.", "pretrain", train),
        answer(
            "pretrain-9t", "Pretrain a 9T model", "1 token.", "pretrain", [], "No shape holds 9T parameters."
        ),
    ]
