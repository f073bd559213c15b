"""Model architectures: counts against published ones, config.json files, names."""

from __future__ import annotations

import csv
import json
from importlib import resources
from pathlib import Path

import pytest

from recommender.sizing.config_json import read_config
from recommender.sizing.memory import kv_bytes_per_token
from recommender.sizing.models import assumed_architecture
from recommender.sizing.registry import find_model, models
from warehouse.errors import UnknownNameError, UsageError

ROWS = list(
    csv.DictReader(
        resources.files("recommender.sizing").joinpath("models.csv").read_text("utf-8").splitlines()
    )
)
PUBLISHED = [
    row for row in ROWS if row["published_total"] and row["name"] != "llama-4-scout"
]  # scout: with vision


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: str(row["name"]))
def test_formula_reproduces_the_published_parameter_count(row: dict[str, str]) -> None:
    assert models()[row["name"]].total_parameters == pytest.approx(float(row["published_total"]), rel=0.01)


@pytest.mark.parametrize(
    ("name", "billions"),
    [("deepseek-v3", 37), ("qwen3-235b-a22b", 22), ("mixtral-8x7b", 12.9), ("llama-4-scout", 17)],
)
def test_active_parameters_of_mixtures(name: str, billions: float) -> None:
    assert models()[name].active_parameters == pytest.approx(billions * 1e9, rel=0.02)


def test_every_model_names_its_source() -> None:
    assert all(model.source for model in models().values())


@pytest.mark.parametrize(
    ("name", "kilobytes"), [("llama-3.1-70b", 327.7), ("deepseek-v3", 70.3), ("llama-3.1-8b", 131.1)]
)
def test_cache_per_token(name: str, kilobytes: float) -> None:
    assert kv_bytes_per_token(find_model(name)) / 1e3 == pytest.approx(kilobytes, abs=0.05)


def test_compute_counts_the_head_once_and_no_lookup() -> None:
    model = find_model("llama-3.1-8b")
    assert model.compute_parameters == model.total_parameters - model.embedding_parameters
    tied = find_model("llama-3.2-1b")
    assert tied.compute_parameters == tied.total_parameters


@pytest.mark.parametrize(
    "name", ["llama-3.1-8b", "META-LLAMA/Meta-Llama-3.1-8B", "llama-3.1-8b-instruct", "llama3-8b"]
)
def test_names_in_other_spellings_are_found(name: str) -> None:
    assert find_model(name).name == "llama-3.1-8b"


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        find_model("lama-3.1-70b")
    assert "llama-3.1-70b" in caught.value.near
    assert "--params" in str(caught.value)


def config(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}
DEEPSEEK = {
    "model_type": "deepseek_v3",
    "num_hidden_layers": 61,
    "hidden_size": 7168,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 3,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "vocab_size": 129280,
    "quantization_config": {"quant_method": "fp8"},
}
MAVERICK = {
    "model_type": "llama4",
    "text_config": {
        "num_hidden_layers": 48,
        "hidden_size": 5120,
        "num_attention_heads": 40,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 8192,
        "intermediate_size_mlp": 16384,
        "interleave_moe_layer_step": 2,
        "num_local_experts": 128,
        "num_experts_per_tok": 1,
        "vocab_size": 202048,
    },
}


@pytest.mark.parametrize(
    ("content", "name"), [(LLAMA, "llama-3.1-8b"), (DEEPSEEK, "deepseek-v3"), (MAVERICK, "llama-4-maverick")]
)
def test_config_json_counts_like_the_table(tmp_path: Path, content: object, name: str) -> None:
    read, known = read_config(config(tmp_path, content)), models()[name]
    assert read.total_parameters == known.total_parameters
    assert read.active_parameters == known.active_parameters
    assert kv_bytes_per_token(read) == kv_bytes_per_token(known)
    assert read.native_precision == known.native_precision


def test_config_json_knows_sliding_layers(tmp_path: Path) -> None:
    kinds = ["sliding_attention", "full_attention"] * 16
    model = read_config(config(tmp_path, {**LLAMA, "sliding_window": 128, "layer_types": kinds}))
    assert (model.window, model.window_layers, model.full_layers) == (128, 16, 16)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"hello": 1}, "missing"),
        ([1, 2], "not a model configuration"),
        ({**LLAMA, "layer_types": ["linear_attention"]}, "linear-attention"),
        ({**LLAMA, "hidden_size": "big"}, "hidden_size is 'big'"),
        ({**LLAMA, "ssm_state_size": 128}, "ssm_state_size"),
    ],
)
def test_config_json_that_cannot_be_sized_is_refused_in_one_line(
    tmp_path: Path, content: object, says: str
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        read_config(config(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_broken_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", "utf-8")
    with pytest.raises(UsageError, match="not JSON"):
        find_model(str(tmp_path / "config.json"))
    with pytest.raises(UsageError, match="No such file"):
        find_model(str(tmp_path / "other.json"))


def test_bare_parameter_counts_keep_what_was_said() -> None:
    dense = assumed_architecture(70e9)
    assert (dense.total_parameters, dense.active_parameters) == (70e9, 70e9)
    assert 60 <= dense.layers <= 100
    assert 6144 <= dense.hidden <= 10240
    sparse = assumed_architecture(671e9, 37e9)
    assert sparse.is_moe
    assert sparse.active_parameters == 37e9
    assert 0 < sparse.routed_parameters < sparse.total_parameters


@pytest.mark.parametrize(("total", "active"), [(0, None), (1e20, None), (7e9, 8e9)])
def test_impossible_parameter_counts_are_refused(total: float, active: float | None) -> None:
    with pytest.raises(UsageError):
        assumed_architecture(total, active)
