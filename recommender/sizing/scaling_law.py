"""How good a model gets with its size and its data: the law behind "a smaller model on more tokens"."""

from __future__ import annotations

# L(N, D) = E + A / N^a + B / D^b. Besiroglu, Erdil, Barnett, You 2024, "Chinchilla Scaling: A replication
# attempt", arXiv:2404.10102, section 3: Hoffmann's own data, fitted again; agrees with 20 tokens a parameter.
IRREDUCIBLE, SIZE_WEIGHT, DATA_WEIGHT = 1.8172, 482.01, 2085.43
SIZE_POWER, DATA_POWER = 0.3478, 0.3658


def training_loss(parameters: float, tokens: float) -> float:
    """Loss in nats per token: ``E + A / N^a + B / D^b``.

    Holds for dense transformers on web text, each token seen once, 44 M to 16 B parameters; beyond that it is
    an extrapolation.
    """
    return float(IRREDUCIBLE + SIZE_WEIGHT / parameters**SIZE_POWER + DATA_WEIGHT / tokens**DATA_POWER)


def same_loss_for_least_work(parameters: float, tokens: float) -> tuple[float, float]:
    """(parameters, tokens) with the loss of the given pair and the fewest training FLOPs 6 N D.

    With K the reducible loss, the minimum has ``A / N^a = K b / (a + b)`` and ``B / D^b = K a / (a + b)``
    (Lagrange; Hoffmann 2022, arXiv:2203.15556, section 3.3 in the other direction).
    """
    reducible = training_loss(parameters, tokens) - IRREDUCIBLE
    both = SIZE_POWER + DATA_POWER
    size = (SIZE_WEIGHT * both / (reducible * DATA_POWER)) ** (1 / SIZE_POWER)
    data = (DATA_WEIGHT * both / (reducible * SIZE_POWER)) ** (1 / DATA_POWER)
    return size, data
