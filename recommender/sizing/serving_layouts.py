"""How a serving replica may lie on GPUs: tensor parallel, attention data parallel with spread experts,
pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.sizing.models import ModelArchitecture

TENSOR_DEGREES = (1, 2, 4, 8, 16)
MAX_DATA_PARALLEL = 72


@dataclass(frozen=True, slots=True)
class ServingLayout:
    """tp: tensor parallel. dp: attention data parallel; each rank keeps whole sequences, experts are spread
    over tp x dp GPUs. pp: pipeline stages, one per machine. nodes: machines of one replica."""

    tp: int
    dp: int = 1
    pp: int = 1
    nodes: int = 1

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.tp * self.dp * self.pp


def serving_layouts(model: ModelArchitecture, gpus_per_node: int, nodes: int) -> list[ServingLayout]:
    """All layouts on `nodes` machines of `gpus_per_node` GPUs.

    Tensor parallel stays inside a machine and divides heads and GPUs. Mixtures may run attention data
    parallel over all GPUs of a machine. A replica spans several machines as a pipeline of them, or, for a
    mixture, with its experts spread over all of them; only where `nodes` is above 1, so the network is known.
    """
    degrees = [t for t in TENSOR_DEGREES if gpus_per_node % t == 0 and model.heads % t == 0]
    found = [ServingLayout(t) for t in degrees]
    if model.is_moe:
        found += [ServingLayout(1, dp) for dp in _spread(gpus_per_node, model.experts)]
    for span in (n for n in (2, 4, 8, 16) if n <= nodes and nodes % n == 0):
        found += [
            ServingLayout(t, 1, span, span) for t in degrees if t == max(degrees) and span <= model.layers
        ]
        if model.is_moe and gpus_per_node * span <= MAX_DATA_PARALLEL:
            found.append(ServingLayout(1, gpus_per_node * span, 1, span))
    return found


def _spread(gpus: int, experts: int) -> list[int]:
    return [g for g in (2, 4, 8, 16, 32, 64, 72) if gpus % g == 0 and g <= experts]
