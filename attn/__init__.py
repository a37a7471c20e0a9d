"""Visual attention modules of six papers, and a way into any convolutional timm backbone."""

from attn.registry import Spec, build, get, list_modules, parse_options, register

__all__ = [
    "Spec",
    "build",
    "get",
    "list_modules",
    "parse_options",
    "register",
]
