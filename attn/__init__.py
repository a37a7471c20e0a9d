"""Visual attention modules of six papers, and a way into any convolutional timm backbone."""

from attn.plug import Report, create_model, executed, plug
from attn.registry import Spec, build, get, list_modules, parse_options, register
from attn.trace import Family, family

__all__ = [
    "Family",
    "Report",
    "Spec",
    "build",
    "create_model",
    "executed",
    "family",
    "get",
    "list_modules",
    "parse_options",
    "plug",
    "register",
]
