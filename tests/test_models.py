"""Model architectures: counts against published ones, config.json files, names."""

from __future__ import annotations

import csv
import json
from importlib import resources
from pathlib import Path

import pytest

from recommender.sizing.config_json import read_config
from recommender.sizing.flops import attention_flops_at
from recommender.sizing.memory import kv_bytes_of_context, kv_bytes_per_token
from recommender.sizing.models import assumed_architecture
from recommender.sizing.registry import architecture_of, find_model, models, resolve
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


QWEN_HYBRID = {
    "model_type": "qwen3_5_moe",
    "text_config": {
        "full_attention_interval": 4,
        "head_dim": 256,
        "hidden_size": 4096,
        "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 15,
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 64,
        "linear_value_head_dim": 128,
        "moe_intermediate_size": 1024,
        "num_attention_heads": 32,
        "num_experts": 512,
        "num_experts_per_tok": 10,
        "num_hidden_layers": 60,
        "num_key_value_heads": 2,
        "shared_expert_intermediate_size": 1024,
        "vocab_size": 248320,
    },
}
NEMOTRON_HYBRID = {
    "model_type": "nemotron_h",
    "hybrid_override_pattern": "ME" * 23 + "*" * 6,
    "num_hidden_layers": 52,
    "hidden_size": 2688,
    "num_attention_heads": 32,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "intermediate_size": 1856,
    "n_routed_experts": 128,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 1856,
    "moe_shared_expert_intermediate_size": 3712,
    "mamba_num_heads": 64,
    "mamba_head_dim": 64,
    "ssm_state_size": 128,
    "n_groups": 8,
    "vocab_size": 131072,
}
V4_FLASH = {
    "model_type": "deepseek_v4",
    "compress_ratios": [0, 0, *[4, 128] * 20, 4, 0],
    "head_dim": 512,
    "hidden_size": 4096,
    "index_head_dim": 128,
    "index_topk": 512,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_attention_heads": 64,
    "num_experts_per_tok": 6,
    "num_hidden_layers": 43,
    "num_key_value_heads": 1,
    "o_groups": 8,
    "o_lora_rank": 1024,
    "q_lora_rank": 1024,
    "sliding_window": 128,
    "vocab_size": 129280,
    "quantization_config": {"quant_method": "fp8"},
}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (LLAMA, "llama-3.1-8b"),
        (DEEPSEEK, "deepseek-v3"),
        (MAVERICK, "llama-4-maverick"),
        (QWEN_HYBRID, "qwen3.5-397b-a17b"),
        (NEMOTRON_HYBRID, "nemotron-3-nano"),
    ],
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
        ({**LLAMA, "hidden_size": "big"}, "hidden_size is 'big'"),
        ({**LLAMA, "ssm_state_size": 128}, "ssm_state_size"),
        ({**LLAMA, "layer_types": ["mamba"] * 32}, "mamba_num_heads"),
        ({**LLAMA, "block_configs": [{}]}, "block_configs"),
        ({**LLAMA, "is_encoder_decoder": True}, "is_encoder_decoder"),
        ({**LLAMA, "num_hidden_layers": 100_000}, "num_hidden_layers is 100000"),
        ({**LLAMA, "num_attention_heads": 5000}, "num_attention_heads is 5000"),
        ({**LLAMA, "num_key_value_heads": 7}, "num_key_value_heads 7"),
        ({**LLAMA, "intermediate_size": 10_000_000}, "intermediate_size is 10000000"),
        ({**DEEPSEEK, "num_experts_per_tok": 300}, "300 experts per token of 256"),
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


def test_compressed_attention_of_deepseek_v4(tmp_path: Path) -> None:
    model = read_config(config(tmp_path, V4_FLASH))
    assert model.total_parameters == pytest.approx(284e9, rel=0.01)
    assert model.active_parameters == pytest.approx(13e9, rel=0.05)
    assert model.attention_limit == 640
    assert kv_bytes_per_token(model) < kv_bytes_per_token(models()["deepseek-v3"]) / 8


def test_constant_state_layers_add_no_cache_per_token() -> None:
    model = models()["nemotron-3-nano"]
    short, long = kv_bytes_of_context(model, 1000), kv_bytes_of_context(model, 2000)
    assert long - short == pytest.approx(1000 * kv_bytes_per_token(model))
    assert short > 1000 * kv_bytes_per_token(model)  # the state itself
    assert attention_flops_at(model, 1) > 0


TABLE = Path(__file__).resolve().parents[2] / "shared" / "reference" / "model_architectures.csv"


@pytest.mark.skipif(not TABLE.exists(), reason="the list of architectures is not beside the project")
def test_every_listed_architecture_is_known() -> None:
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = resolve(row["model"])
            assert name, row["model"]
            if row["layers"]:
                model = models()[name]
                shape = (model.layers, model.hidden, model.heads)
                assert shape == tuple(int(row[key]) for key in ("layers", "hidden", "heads")), row["model"]


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("LLAMA3_70B", "llama-3.1-70b"),
        ("LLaMA v3.1 405B", "llama-3.1-405b"),
        ("DeepSeekV3 (w/o MTP)", "deepseek-v3"),
        ("nvidia/Qwen3-235B-A22B-NVFP4", "qwen3-235b-a22b"),
        ("TheBloke/Mistral-7B-v0.1-GPTQ", "mistral-7b"),
        ("llama2-70b-99.9", "llama-2-70b"),
        ("Qwen2.5-72B-Instruct", "qwen2.5-72b"),
        ("no such thing", None),
    ],
)
def test_spellings_of_published_tables(name: str, short: str | None) -> None:
    assert resolve(name) == short


def test_a_name_with_another_size_is_not_that_model() -> None:
    found = architecture_of("GPT-2 (1.5B, Curriculum Learning 45K)", 1.5e9, None)
    assert found is not None
    assert found.total_parameters == 1.5e9
    assert architecture_of("no such thing", None, None) is None


@pytest.mark.parametrize(("total", "active"), [(0, None), (1e20, None), (7e9, 8e9)])
def test_impossible_parameter_counts_are_refused(total: float, active: float | None) -> None:
    with pytest.raises(UsageError):
        assumed_architecture(total, active)
