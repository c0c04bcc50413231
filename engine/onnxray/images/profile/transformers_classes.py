"""What each image processor of transformers does where its file is silent, and which ones no profile can follow.

Read off transformers 4.57 and 5.24; tests/peers/test_preprocessing.py compares each with the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

Steps = Literal["plain", "convnext", "levit", "poolformer"]
Numbers = tuple[float, float, float]

IMAGENET: Final[tuple[Numbers, Numbers]] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALVES: Final[tuple[Numbers, Numbers]] = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
CLIP: Final[tuple[Numbers, Numbers]] = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
ONES: Final[tuple[Numbers, Numbers]] = (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Processor:
    """The defaults of one class. ``resample`` is Pillow's code.

    side: of the square that pictures are stretched to, or, where keeps_aspect, of the shorter side; a size that is a
    bare number in a file means the same. crop: the side of the centre that is cut out, 0 where the class cuts none;
    crops: whether it does so unasked. statistics: mean and deviation, None where the class takes none.
    flips: whether colours become BGR unasked, None where the class never turns them. models: the model types whose
    files may leave the class's name out. never: keys that, where true, ask for what no profile can say.
    unsettled: keys whose default is another in transformers 4; that of transformers 5 is taken, and it is said.
    efficient: EfficientNet's own keys, rescale_offset and include_top, are read, the latter true unasked.
    """

    side: int | tuple[int, int]
    resample: int
    statistics: tuple[Numbers, Numbers] | None
    keeps_aspect: bool = False
    crop: int = 0
    crops: bool = True
    steps: Steps = "plain"
    normalizes: bool = True
    rescales: bool = True
    factor: float = 1 / 255
    flips: bool | None = None
    efficient: bool = False
    models: str = ""
    never: str = ""
    unsettled: str = ""


_CLIP: Final = Processor(side=224, resample=3, statistics=CLIP, keeps_aspect=True, crop=224)

PROCESSORS: Final[Mapping[str, Processor]] = MappingProxyType(
    {
        "BeitImageProcessor": Processor(
            side=224, resample=3, statistics=HALVES, crop=224, crops=False, models="beit data2vec-vision",
            unsettled="size do_center_crop",
        ),
        "BitImageProcessor": Processor(
            side=224, resample=3, statistics=CLIP, keeps_aspect=True, crop=224, models="bit dinov2 focalnet hiera"
        ),
        "BlipImageProcessor": Processor(side=384, resample=3, statistics=CLIP, models="blip blip-2 instructblip"),
        "ChameleonImageProcessor": Processor(
            side=512, resample=1, statistics=ONES, keeps_aspect=True, crop=512, factor=0.0078, models="chameleon"
        ),
        "ChineseCLIPImageProcessor": Processor(
            side=224, resample=3, statistics=CLIP, keeps_aspect=True, crop=224, models="chinese_clip"
        ),
        "CLIPImageProcessor": Processor(
            side=224, resample=3, statistics=CLIP, keeps_aspect=True, crop=224,
            models="clip aimv2 git groupvit kosmos-2 metaclip_2 mlcd vipllava xclip",
        ),
        "ConvNextImageProcessor": Processor(
            side=384, resample=3, statistics=HALVES, keeps_aspect=True, steps="convnext",
            models="convnext convnextv2 cvt regnet resnet van", unsettled="resample",
        ),
        "DeiTImageProcessor": Processor(side=256, resample=3, statistics=HALVES, crop=224, models="deit"),
        "DINOv3ViTImageProcessor": Processor(side=224, resample=2, statistics=IMAGENET, models="dinov3_vit"),
        "DPTImageProcessor": Processor(
            side=384, resample=3, statistics=HALVES, models="dpt depth_anything", never="keep_aspect_ratio do_pad"
        ),
        "EfficientFormerImageProcessor": Processor(
            side=224, resample=3, statistics=IMAGENET, crop=224, models="efficientformer"
        ),
        "EfficientNetImageProcessor": Processor(
            side=346, resample=3, statistics=HALVES, crop=289, crops=False, efficient=True,
            models="efficientnet align", unsettled="resample",
        ),
        "FlavaImageProcessor": Processor(side=224, resample=3, statistics=CLIP, crop=224, models="flava"),
        "Gemma3ImageProcessor": Processor(
            side=224, resample=2, statistics=HALVES, models="gemma3 shieldgemma2",
            never="do_pan_and_scan",
        ),
        "GotOcr2ImageProcessor": Processor(
            side=384, resample=3, statistics=CLIP, models="got_ocr2", never="crop_to_patches"
        ),
        "LayoutLMv2ImageProcessor": Processor(
            side=224, resample=2, statistics=None, rescales=False, flips=True, models="layoutlmv2"
        ),
        "LayoutLMv3ImageProcessor": Processor(side=224, resample=2, statistics=HALVES, models="layoutlmv3 udop"),
        "LevitImageProcessor": Processor(
            side=224, resample=3, statistics=IMAGENET, keeps_aspect=True, crop=224, steps="levit", models="levit"
        ),
        "LlavaImageProcessor": Processor(
            side=224, resample=3, statistics=CLIP, keeps_aspect=True, crop=224, models="llava",
            never="do_pad",
        ),
        "MobileNetV1ImageProcessor": Processor(
            side=256, resample=2, statistics=HALVES, keeps_aspect=True, crop=224, models="mobilenet_v1"
        ),
        "MobileNetV2ImageProcessor": Processor(
            side=256, resample=2, statistics=HALVES, keeps_aspect=True, crop=224, models="mobilenet_v2"
        ),
        "MobileViTImageProcessor": Processor(
            side=224, resample=3, statistics=None, keeps_aspect=True, crop=256, flips=True,
            models="mobilevit mobilevitv2", unsettled="resample",
        ),
        "Ovis2ImageProcessor": Processor(
            side=384, resample=3, statistics=CLIP, models="ovis2", never="crop_to_patches"
        ),
        "OwlViTImageProcessor": Processor(
            side=768, resample=3, statistics=CLIP, crop=768, crops=False, models="owlvit"
        ),
        "PoolFormerImageProcessor": Processor(
            side=224, resample=3, statistics=IMAGENET, keeps_aspect=True, crop=224, steps="poolformer",
            models="poolformer",
        ),
        "PromptDepthAnythingImageProcessor": Processor(
            side=384, resample=3, statistics=HALVES, models="prompt_depth_anything", never="keep_aspect_ratio do_pad"
        ),
        "PvtImageProcessor": Processor(
            side=224, resample=3, statistics=IMAGENET, models="pvt pvt_v2", unsettled="resample"
        ),
        "RTDetrImageProcessor": Processor(
            side=640, resample=2, statistics=IMAGENET, normalizes=False, models="rt_detr rt_detr_v2 d_fine",
            never="do_pad",
        ),
        "SegformerImageProcessor": Processor(
            side=512, resample=2, statistics=IMAGENET, models="segformer upernet"
        ),
        "SegGptImageProcessor": Processor(side=448, resample=3, statistics=IMAGENET, models="seggpt"),
        "SiglipImageProcessor": Processor(
            side=224, resample=3, statistics=HALVES, models="siglip gemma3n paligemma"
        ),
        "SuperPointImageProcessor": Processor(
            side=(480, 640), resample=2, statistics=None, models="superpoint",
            never="do_grayscale",
        ),
        "ViTHybridImageProcessor": _CLIP,
        "ViTImageProcessor": Processor(
            side=224, resample=2, statistics=HALVES,
            models="vit clipseg dinat ijepa mgp-str nat swiftformer swin swinv2 vit_mae vit_msn",
        ),
    }
)  # fmt: skip

_ASPECT: Final = "keeps the aspect of each picture, so that its inputs have no one size"
_PARTS: Final = "cuts pictures into parts by their shape"
_PADS: Final = "pads pictures by rules of its own"
REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        f"{name}ImageProcessor": why
        for why, names in {
            _ASPECT: "ConditionalDetr DeformableDetr Deta Detr GroundingDino Yolos Mask2Former MaskFormer OneFormer "
            "Eomt Vilt BridgeTower GLPN TextNet Emu3 Sapiens2",
            _PARTS: "Aria Cohere2Vision Fuyu Glm4v Idefics2 Idefics3 Kosmos2_5 Lfm2Vl Llama4 LlavaNext LlavaOnevision "
            "Mllama PerceptionLM Phi4Multimodal Pix2Struct Pixtral Qwen2VL Siglip2 SmolVLM",
            _PADS: "DeepseekVL DeepseekVLHybrid Donut Janus Nougat Owlv2 Sam Sam2 Swin2SR Tvlt Tvp VitMatte ZoeDepth",
            "cuts the centre before it resizes": "Perceiver",
            "resizes without averaging what it leaves out": "DepthPro",
            "cuts the persons out of pictures": "VitPose",
            "takes pairs of pictures": "EfficientLoFTR LightGlue SuperGlue",
            "turns pixels into numbers of a list of colours": "ImageGPT",
            "takes videos": "InstructBlipVideo LlavaNextVideo VideoLlava VideoMAE Vivit",
            "has the size under a key of its own, image_size": "Idefics",
        }.items()
        for name in names.split()
    }
)
_OF_MODELS: Final[Mapping[str, str]] = MappingProxyType(
    {model: name for name, processor in PROCESSORS.items() for model in processor.models.split()}
)


def class_name(config: Mapping[str, Any], model_type: object) -> str | None:
    """Return the class that a file names, by today's name; else the one that model_type implies; None for neither.

    Feature extractors are the processors' older names; Fast and Pil say who computes, not what.
    """
    for key in ("image_processor_type", "feature_extractor_type"):
        name = config.get(key)
        if isinstance(name, str) and name:
            name = name.removesuffix("Fast").removesuffix("Pil")
            return (
                name.removesuffix("FeatureExtractor") + "ImageProcessor" if name.endswith("FeatureExtractor") else name
            )
    return _OF_MODELS.get(model_type) if isinstance(model_type, str) else None
