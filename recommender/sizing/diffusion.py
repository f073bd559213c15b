"""Diffusion models: floating-point operations of a step and of an image, weights and peak memory."""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from warehouse.errors import ReferenceDataError, UnknownNameError

LATENT_SCALE = 8  # pixels per latent position and side of the usual autoencoders
PATCH = 2  # latent positions per token and side of diffusion transformers


@dataclass(frozen=True, slots=True)
class ImageModel:
    """A text-to-image model.

    Attributes:
        kind: `unet` or `dit`. parameters: of the denoiser.
        flops_per_step: of a U-Net for one image at `reference_pixels`, one pass; of that, `quadratic_share`
            grows with the square of the pixels (self-attention).
        layers, hidden, text_tokens: of a transformer. guided: two passes a step (classifier-free guidance).
        text_parameters, vae_parameters: of the other parts. vae_flops_per_pixel: of decoding.
        default_steps, default_pixels: of one side, where the question does not say.
    """

    name: str
    title: str
    kind: str
    parameters: float
    flops_per_step: float
    reference_pixels: float
    quadratic_share: float
    layers: int
    hidden: int
    text_tokens: int
    guided: bool
    text_parameters: float
    vae_parameters: float
    vae_flops_per_pixel: float
    default_steps: int
    default_pixels: int
    source: str

    @property
    def passes(self) -> int:
        """Passes of the denoiser per step."""
        return 2 if self.guided else 1

    @property
    def total_parameters(self) -> float:
        """Denoiser, text encoders and autoencoder."""
        return self.parameters + self.text_parameters + self.vae_parameters


def latent_tokens(width: int, height: int) -> float:
    """Tokens of a diffusion transformer: (width / 8 / 2) * (height / 8 / 2) (Peebles, arXiv 2212.09748)."""
    side = LATENT_SCALE * PATCH
    return (width / side) * (height / side)


def transformer_step_flops(model: ImageModel, width: int, height: int) -> float:
    """One pass of a diffusion transformer: 2 P n + 4 L n^2 h, n image and text tokens (not causal)."""
    n = latent_tokens(width, height) + model.text_tokens
    return 2 * model.parameters * n + 4 * model.layers * n * n * model.hidden


def unet_step_flops(model: ImageModel, width: int, height: int) -> float:
    """One pass of a U-Net: convolutions grow with the pixels, self-attention with their square.

    Check: SD 1.5 at 512 x 512 is 0.8 TFLOP, SDXL at 1,024 x 1,024 is 6 TFLOP.
    """
    scale = width * height / model.reference_pixels
    share = model.quadratic_share
    return model.flops_per_step * ((1 - share) * scale + share * scale * scale)


def step_flops(model: ImageModel, width: int, height: int) -> float:
    """One denoising step of one image, guidance included."""
    one = transformer_step_flops if model.kind == "dit" else unet_step_flops
    return model.passes * one(model, width, height)


def image_flops(model: ImageModel, width: int, height: int, steps: int) -> float:
    """One image: steps * step + text encoder (2 P tokens, per pass) + decoding of the latent."""
    text = 2 * model.text_parameters * model.text_tokens * model.passes
    return steps * step_flops(model, width, height) + text + model.vae_flops_per_pixel * width * height


def image_weight_bytes(model: ImageModel, bytes_per_parameter: float = 2.0) -> float:
    """Weights of all parts."""
    return model.total_parameters * bytes_per_parameter


def image_activation_bytes(model: ImageModel, width: int, height: int, batch: float) -> float:
    """Peak beside the weights: decoding holds about 128 channels at full size, twice, in 16 bit (512 bytes a
    pixel), image by image; the denoiser's widest level about 40 bytes a pixel, pass and image."""
    pixels = width * height
    return 512.0 * pixels + 40.0 * pixels * model.passes * batch


@lru_cache(maxsize=1)
def image_models() -> dict[str, ImageModel]:
    """All known models by short name."""
    return {row["name"]: _model(row) for row in _rows()}


def find_image_model(name: str) -> ImageModel:
    """A model by short name or alias.

    Raises:
        UnknownNameError: with the nearest names.
    """
    short = resolve_image_model(name)
    if short:
        return image_models()[short]
    near = difflib.get_close_matches(name.lower(), _aliases(), n=4, cutoff=0.4)
    names = list(dict.fromkeys(_aliases()[text] for text in near))
    raise UnknownNameError("image model", name, names, "known: " + ", ".join(image_models()))


def resolve_image_model(name: str) -> str | None:
    """Short name of a published spelling ("Stable-Diffusion-v1.5 txt2img"), None where not known."""
    text = name.strip().lower().replace("_", "-")
    known = _aliases()
    for candidate in (text, text.split("/")[-1], text.split(" ")[0]):
        if candidate in known:
            return known[candidate]
    return None


@lru_cache(maxsize=1)
def _aliases() -> dict[str, str]:
    found: dict[str, str] = {}
    for row in _rows():
        for spelling in (row["name"], *row["aliases"].split()):
            found[spelling.lower()] = row["name"]
    return found


@lru_cache(maxsize=1)
def _rows() -> list[dict[str, str]]:
    text = resources.files("recommender.sizing").joinpath("image_models.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _model(row: dict[str, str]) -> ImageModel:
    try:
        return ImageModel(
            name=row["name"],
            title=row["title"],
            kind=row["kind"],
            parameters=float(row["parameters"]),
            flops_per_step=float(row["flops_per_step"] or 0),
            reference_pixels=float(row["reference_pixels"] or 1),
            quadratic_share=float(row["quadratic_share"] or 0),
            layers=int(row["layers"] or 0),
            hidden=int(row["hidden"] or 0),
            text_tokens=int(row["text_tokens"]),
            guided=row["guided"] == "yes",
            text_parameters=float(row["text_parameters"]),
            vae_parameters=float(row["vae_parameters"]),
            vae_flops_per_pixel=float(row["vae_flops_per_pixel"]),
            default_steps=int(row["default_steps"]),
            default_pixels=int(row["default_pixels"]),
            source=row["source"],
        )
    except (KeyError, ValueError) as error:
        raise ReferenceDataError(f"image_models.csv, row {row.get('name')!r}: {error}") from None
