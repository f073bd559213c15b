"""What a model is, as far as memory and arithmetic care: counts of layers, heads and experts.

`ModelArchitecture` holds the numbers of a transformer decoder and derives parameter counts, FLOP-relevant
counts and key-value sizes from them. It knows no hardware and no price. Supported: multi-head, grouped-query
and multi-head latent attention (MLA), gated and plain MLPs, mixture of experts with shared experts and
dense layers in between, sliding-window layers, layers with a constant state instead of attention (Mamba,
gated delta net), tied embeddings, learned positions, encoders.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from warehouse.errors import UsageError

LLAMA_ASPECT_RATIO = 102  # hidden size / layers of Llama 2 and 3 from 8B to 405B: 102 to 130


@dataclass(frozen=True)
class ModelArchitecture:
    """A decoder-only transformer.

    Attributes:
        name: short lower-case name.
        layers, hidden, heads, kv_heads, head_dim: attention geometry; `head_dim` is never derived from
            hidden / heads here, since Qwen3, Gemma and gpt-oss differ.
        ffn: width of the MLP of a dense layer.
        vocab: rows of the embedding.
        tied: the LM head shares the input embedding.
        gated: three MLP matrices (SwiGLU, GeGLU) instead of two.
        experts, experts_per_token, expert_ffn: routed experts of one MoE layer; 0 for dense models.
        shared_ffn: total width of the experts that every token passes.
        dense_layers: layers with a plain MLP in a MoE model; ignored for dense models.
        q_lora_rank, kv_lora_rank, nope_dim, rope_dim, v_dim: MLA; `kv_lora_rank` 0 means no MLA.
        window: sliding-window length, None where all layers see the whole context.
        window_layers: how many layers slide.
        positions: rows of a learned position table (GPT-2, GPT-3), 0 for rotary.
        linear_layers, linear_parameters, linear_state: layers whose mixer keeps a constant state (Mamba-2,
            gated delta net, KDA), parameters of one, and numbers of its state per sequence.
        attention_layers, mlp_layers: how many layers have attention, and an MLP or experts; None means all
            that are not linear, and all. Nemotron-H counts every mixer and every MLP as a layer of its own.
        expert_hidden: width at which the routed experts work (latent mixtures), 0 for `hidden`.
        attention_limit: tokens that sparse attention looks at (top-k), None where it sees all of them.
        attention_stated, kv_stated: parameters of one layer's attention and cached numbers per token and
            layer where neither the grouped-query nor the MLA formula describes them.
        encoder: attention looks both ways (BERT), so that the causal half does not apply.
        native_precision: what the published checkpoint is stored in.
        stated_total, stated_active: counts that overrule the formula (bare ``--params``).
        max_context: positions the model was published for, None where unknown.
        source: where the numbers come from.
        note: a remark for people.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    tied: bool = False
    gated: bool = True
    experts: int = 0
    experts_per_token: int = 0
    expert_ffn: int = 0
    shared_ffn: int = 0
    dense_layers: int = 0
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    nope_dim: int = 0
    rope_dim: int = 0
    v_dim: int = 0
    window: int | None = None
    window_layers: int = 0
    positions: int = 0
    linear_layers: int = 0
    linear_parameters: int = 0
    linear_state: int = 0
    attention_layers: int | None = None
    mlp_layers: int | None = None
    expert_hidden: int = 0
    attention_limit: int | None = None
    attention_stated: int = 0
    kv_stated: float = 0.0
    encoder: bool = False
    native_precision: str = "bf16"
    stated_total: float | None = None
    stated_active: float | None = None
    max_context: int | None = None
    source: str = ""
    note: str = ""

    @property
    def is_moe(self) -> bool:
        """Has routed experts."""
        return self.experts > 0

    @property
    def is_mla(self) -> bool:
        """Caches one compressed latent per token instead of keys and values."""
        return self.kv_lora_rank > 0

    @property
    def is_assumed(self) -> bool:
        """The geometry was not given: it follows Llama's proportions from a parameter count."""
        return self.stated_total is not None

    @property
    def moe_layers(self) -> int:
        """Layers with routed experts."""
        return self.blocks_with_mlp - self.dense_layers if self.is_moe else 0

    @property
    def blocks_with_mlp(self) -> int:
        """Layers that hold an MLP or experts."""
        return self.layers if self.mlp_layers is None else self.mlp_layers

    @property
    def blocks_with_attention(self) -> int:
        """Layers that attend (windows included), and so cache keys and values."""
        return self.layers - self.linear_layers if self.attention_layers is None else self.attention_layers

    @property
    def expert_parameters(self) -> float:
        """Parameters of one routed expert of one layer."""
        return (3 if self.gated else 2) * (self.expert_hidden or self.hidden) * self.expert_ffn

    @property
    def attention_parameters(self) -> float:
        """Parameters of one layer's attention. MLA: DeepSeek-V2 (arXiv 2405.04434), section 2.1."""
        h, a = self.hidden, self.heads
        if self.attention_stated:
            return self.attention_stated
        if not self.is_mla:
            value = self.v_dim or self.head_dim
            return h * (a + self.kv_heads) * (self.head_dim + value)
        qk = self.nope_dim + self.rope_dim
        query = h * self.q_lora_rank + self.q_lora_rank * a * qk if self.q_lora_rank else h * a * qk
        latent = h * (self.kv_lora_rank + self.rope_dim)
        return query + latent + self.kv_lora_rank * a * (self.nope_dim + self.v_dim) + a * self.v_dim * h

    @property
    def embedding_parameters(self) -> float:
        """Parameters of the input embedding (and learned positions), which no token multiplies with."""
        return self.hidden * (self.vocab + self.positions)

    @property
    def head_parameters(self) -> float:
        """Parameters of the LM head, counted whether it is tied or not."""
        return self.hidden * self.vocab

    def _dense_core(self) -> float:
        """Everything but embeddings, head and routed experts."""
        mlp = (3 if self.gated else 2) * self.hidden
        plain_layers = self.dense_layers if self.is_moe else self.blocks_with_mlp
        latent = 2 * self.hidden * self.expert_hidden
        moe = self.moe_layers * (mlp * self.shared_ffn + self.hidden * self.experts + latent)
        norms = (2 * self.layers + 1) * self.hidden
        mixers = self.blocks_with_attention * self.attention_parameters
        mixers += self.linear_layers * self.linear_parameters
        return mixers + plain_layers * mlp * self.ffn + moe + norms

    @cached_property
    def routed_parameters(self) -> float:
        """All routed experts of all layers."""
        if self.stated_total is not None and self.stated_active is not None and self.is_moe:
            share = self.experts_per_token / self.experts
            return (self.stated_total - self.stated_active) / (1 - share)
        return self.moe_layers * self.experts * self.expert_parameters

    @cached_property
    def total_parameters(self) -> float:
        """Parameters held in memory."""
        if self.stated_total is not None:
            return self.stated_total
        ends = self.embedding_parameters + (0 if self.tied else self.head_parameters)
        return self._dense_core() + self.routed_parameters + ends

    @cached_property
    def active_parameters(self) -> float:
        """Parameters that one token touches, embeddings included (the convention of model cards)."""
        if self.stated_active is not None:
            return self.stated_active
        if not self.is_moe:
            return self.total_parameters
        return self.total_parameters - self.routed_parameters * (1 - self.experts_per_token / self.experts)

    @cached_property
    def compute_parameters(self) -> float:
        """Parameters that one token is multiplied with: active ones, the LM head once, no look-up table."""
        if self.is_assumed:
            return self.active_parameters
        table = self.hidden * self.positions
        return self.active_parameters - table - (0 if self.tied else self.head_parameters)

    @cached_property
    def always_read_parameters(self) -> float:
        """Parameters that every decode step reads whatever the batch: all but routed experts and look-ups."""
        lookup = 0.0 if self.tied or self.is_assumed else self.embedding_parameters
        return self.total_parameters - self.routed_parameters - lookup

    @cached_property
    def sixteen_bit_parameters(self) -> float:
        """Parameters that block formats leave in 16 bit: embedding, LM head and norms."""
        ends = self.embedding_parameters + (0 if self.tied else self.head_parameters)
        return min(ends + (2 * self.layers + 1) * self.hidden, 0.5 * self.total_parameters)

    @property
    def largest_layer_parameters(self) -> float:
        """Parameters of the biggest block that sharded training gathers at once."""
        if self.is_assumed and not self.is_moe:
            return self.total_parameters / self.layers
        mlp = (3 if self.gated else 2) * self.hidden
        layer = max(self.attention_parameters, self.linear_parameters) + (
            self.experts * self.expert_parameters + mlp * self.shared_ffn if self.is_moe else mlp * self.ffn
        )
        return max(layer, self.embedding_parameters)

    @property
    def full_layers(self) -> int:
        """Layers whose attention reaches back over the whole context."""
        return self.blocks_with_attention - self.window_layers

    @property
    def kv_elements_per_layer(self) -> float:
        """Cached numbers per token and layer: 2 * kv_heads * head_dim, or latent + rotary part for MLA."""
        if self.kv_stated:
            return self.kv_stated
        if self.is_mla:
            return self.kv_lora_rank + self.rope_dim
        return self.kv_heads * (self.head_dim + (self.v_dim or self.head_dim))

    def with_name(self, name: str) -> ModelArchitecture:
        """The same architecture under another name."""
        return replace(self, name=name)


def assumed_architecture(total: float, active: float | None = None) -> ModelArchitecture:
    """An architecture for a bare parameter count, in Llama's proportions.

    hidden = (total * aspect / 12) ** (1/3) rounded to 128, layers = hidden / aspect, 8 key-value heads of
    128. Where `active` is smaller than `total` the model is taken as a mixture of 128 experts, of which as
    many are used as leave at least a tenth of the active parameters outside the experts.

    Raises:
        UsageError: counts that no model can have.
    """
    if not 1e6 <= total <= 1e14:
        raise UsageError(f"params {total:g} is not a model size between 1e6 and 1e14; example: --params 70e9")
    if active is not None and not 0 < active <= total:
        raise UsageError(f"active-params {active:g} must be above 0 and at most params {total:g}")
    base = total if active is None else active
    hidden = max(128, round((base * LLAMA_ASPECT_RATIO / 12) ** (1 / 3) / 128) * 128)
    layers = max(1, round(hidden / LLAMA_ASPECT_RATIO))
    heads = hidden // 128
    sparse = active is not None and active < total
    used = max(1, min(127, int(0.9 * 128 * base / total))) if sparse else 0
    return ModelArchitecture(
        name=f"{total / 1e9:g}b",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=min(8, heads),
        head_dim=128,
        ffn=hidden * 7 // 2,
        vocab=128_000,
        experts=128 if sparse else 0,
        experts_per_token=min(8, used) if sparse else 0,
        expert_ffn=max(1, round(total / layers / 128 / 3 / hidden)) if sparse else 0,
        stated_total=total,
        stated_active=active if sparse else None,
        source="assumed from the parameter count (Llama proportions)",
    )
