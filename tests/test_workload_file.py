"""Workload files: the same question as flags, mistakes told in one line, the schema, the packaged jobs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpufare.cli.main import main
from gpufare.exit_codes import ExitCode
from recommender import Constraints, Workload
from recommender.constraints import DataPlace
from recommender.fields import LIMIT_FIELDS, WORKLOAD_FIELDS
from recommender.reference_jobs import reference_jobs
from recommender.workload_file import parse_job, read_job, schema
from warehouse.errors import UsageError

FULL = """
id: chat
title: A chat
task: serve
model: llama-3.1-8b
requests_per_second: 1e1
tpot_ms: 50
limits:
  gpu: [h100, a100-80gb]
  continent: europe
  country: "NO"
  spot_ok: true
  budget: 5000
  data_in: aws/us-east-1:500
  top: 3
"""


def test_a_file_is_the_question_that_flags_would_ask(tmp_path: Path) -> None:
    job = parse_job(FULL, "chat.yaml")
    assert job.workload == Workload(task="serve", model="llama-3.1-8b", requests_per_second=10, tpot_ms=50)
    assert job.constraints == Constraints(
        gpus=("h100", "a100-80gb"),
        continents=("europe",),
        countries=("NO",),
        spot_ok=True,
        budget_usd=5000,
        data_in=(DataPlace("us-east-1", 500, "aws"),),
        top=3,
    )
    assert (job.id, job.title) == ("chat", "A chat")
    path = tmp_path / "chat.yaml"
    path.write_text(FULL)
    assert Workload.from_file(path) == job.workload
    assert read_job(path) == job


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("task: serve\nmodle: llama-3.1-8b", "unknown key 'modle'; did you mean model?"),
        (
            "task: serve\nmodel: llama-3.1-8b\nlimits: {spot: true}",
            "limits: unknown key 'spot'; did you mean spot_ok?",
        ),
        ("task: serve\nmodel: llama-3.1-8b\nspot_ok: true", "spot_ok belongs under limits"),
        ("model: llama-3.1-8b", "no task"),
        ("task: dance\nmodel: llama-3.1-8b", "task 'dance'"),
        ("task: serve\nmodel: llama-3.1-8b\ntokens: 5", "tokens does not go with serve"),
        ("task: serve\nmodel: llama-3.1-8b\ntpot_ms: fast", "tpot_ms 'fast' is not a number"),
        ("task: serve\nmodel: llama-3.1-8b\ninput_tokens: 2.5", "input_tokens 2.5 is not a whole number"),
        ("task: serve\nmodel: llama-3.1-8b\ntpot_ms:", "tpot_ms is empty"),
        ("task: serve\nmodel: 8", "model 8 is not text"),
        ("task: serve\nmodel: llama-3.1-8b\nlimits: {country: NO}", 'write names in quotes, "NO"'),
        ("task: serve\nmodel: llama-3.1-8b\nlimits: {spot_ok: 1}", "spot_ok 1 is not true or false"),
        ("task: serve\nmodel: llama-3.1-8b\nlimits: {deadline: soon}", "deadline 'soon' is not a length"),
        ("- serve", "is not a list of key: value lines"),
        ("task: [", "did not find expected node"),
        ("", "is not a list of key: value lines"),
    ],
)
def test_mistakes_are_one_line_that_names_file_and_key(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"^job\.yaml") as caught:
        parse_job(text, "job.yaml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_job(tmp_path / "none.yaml")
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not text"):
        read_job(tmp_path / "x.yaml")
    (tmp_path / "y.yaml").write_text("#" * 200_000)
    with pytest.raises(UsageError, match="longer than"):
        read_job(tmp_path / "y.yaml")


def test_no_code_runs_from_a_file() -> None:
    with pytest.raises(UsageError):
        parse_job("!!python/object/apply:os.system ['true']", "job.yaml")


def test_flags_beside_a_file_win(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chat.yaml"
    path.write_text("task: serve\nmodel: llama-3.1-8b\nrequests_per_second: 5\nlimits: {top: 2}\n")
    home = str(tmp_path / "home")
    assert main(["--home", home, "recommend", "-f", str(path), "--json"]) == ExitCode.STALE
    rows = json.loads(capsys.readouterr().out)["data"]
    assert len(rows) == 2
    flags = ["--top", "1", "--requests-per-second", "500"]
    main(["--home", home, "recommend", "-f", str(path), *flags, "--json"])
    (row,) = json.loads(capsys.readouterr().out)["data"]
    assert row["cost_usd"]["p50"] > rows[0]["cost_usd"]["p50"]


def test_the_schema_beside_the_docs_is_the_present_one() -> None:
    path = Path(__file__).resolve().parent.parent / "docs" / "workload.schema.json"
    write = "import json; from recommender.workload_file import schema; print(json.dumps(schema(), indent=1))"
    assert json.loads(path.read_text()) == schema(), f'python -c "{write}" > docs/workload.schema.json'


def test_the_schema_knows_every_field_and_the_packaged_jobs_keep_to_it() -> None:
    found = schema()
    keys = {item.file_key for item in WORKLOAD_FIELDS}
    assert keys <= set(found["properties"])
    assert {item.file_key for item in LIMIT_FIELDS} == set(found["properties"]["limits"]["properties"])
    tasks = {job.workload.task for job in reference_jobs()}
    assert tasks == {"serve", "batch", "images", "finetune", "pretrain"}
    assert len({job.id for job in reference_jobs()}) == len(reference_jobs())
