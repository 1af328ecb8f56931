"""Tiny random models of images and texts, with what reads their input; the same at every call."""

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    VisionTextDualEncoderModel,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)
from transformers.models.bert import BertConfig, BertModel

TOWER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
EYE = {**TOWER, "image_size": 16, "patch_size": 4}
READER = {**TOWER, "vocab_size": 40, "max_position_embeddings": 12}
WORDS = ["cat", "dog", "red", "blue", "a", "of", "photo", "house", "tree", "the"]


def tokenizer():
    """[pad] 0, [unk] 1, [start] 38, [end] 39: as CLIP's, the end token has the largest number."""
    vocabulary = {
        "[pad]": 0,
        "[unk]": 1,
        **{word: i for i, word in enumerate(WORDS, start=2)},
        "[start]": 38,
        "[end]": 39,
    }
    whole = Tokenizer(models.WordLevel(vocabulary, unk_token="[unk]"))
    whole.pre_tokenizer = pre_tokenizers.Whitespace()
    whole.post_processor = processors.TemplateProcessing(
        single="[start] $A [end]", special_tokens=[("[start]", 38), ("[end]", 39)]
    )
    names = {"pad_token": "[pad]", "unk_token": "[unk]", "bos_token": "[start]", "eos_token": "[end]"}
    return PreTrainedTokenizerFast(tokenizer_object=whole, model_max_length=12, **names)


def saved(folder, *parts):
    torch.manual_seed(0)
    for part in parts:
        part.save_pretrained(folder)
    return folder


def vit(seed=0, **options):
    torch.manual_seed(seed)
    return ViTModel(ViTConfig(**EYE, initializer_range=0.3), **options).eval()


def clip():
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={**READER, "eos_token_id": 39, "bos_token_id": 38, "pad_token_id": 0},
        vision_config=EYE,
        projection_dim=8,
        initializer_factor=10.0,
    )
    return CLIPModel(config).eval()


def siglip():
    torch.manual_seed(0)
    ends = {"eos_token_id": 39, "bos_token_id": 38, "pad_token_id": 0}
    return SiglipModel(SiglipConfig(text_config={**READER, **ends, "projection_size": 16}, vision_config=EYE)).eval()


def bert():
    torch.manual_seed(1)
    return BertModel(BertConfig(**READER)).eval()


SQUARE = ViTImageProcessorPil(size={"height": 16, "width": 16})
CROPPED = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})


def two_towers():
    torch.manual_seed(0)
    return VisionTextDualEncoderModel(vision_model=vit(), text_model=bert()).eval()


def pixels_by_hand(images):
    """Bilinear to 16 by 16 with Pillow, then from [0, 255] to [-1, 1], channels first."""
    small = np.stack([np.asarray(Image.fromarray(i).resize((16, 16), Image.Resampling.BILINEAR)) for i in images])
    return torch.tensor((small / 255 - 0.5) / 0.5, dtype=torch.float32).permute(0, 3, 1, 2)


@torch.no_grad()
def states(model, pixels):
    return model(pixel_values=pixels)
