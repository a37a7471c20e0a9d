"""What goes on in a GPU while it is timed: its clock, what slows it, and who else uses it.

Read through NVML where ``nvidia-ml-py`` is installed, else by asking ``nvidia-smi``. A round in
which the clock changed, the GPU was slowed or another process computed doesn't count.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CLOCK_CHANGE = 0.02
"""Share by which the clock may differ between the two ends of a round and from the first one."""

SLOWED = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Bits of NVML's reasons for a lower clock that a measurement can't ignore; an idle GPU and clocks
set by the user are none of them."""


@dataclass(frozen=True)
class State:
    """One look at a GPU: clock of its multiprocessors, NVML's reasons, computing processes."""

    clock_mhz: int
    reasons: int = 0
    processes: int = 1


Look = Callable[[], State]


@dataclass
class Watch:
    """Calls of it are the ends of rounds: each says why the round before doesn't count, or ""."""

    look: Look
    clocks: list[int] = field(default_factory=list)
    """The clock at every call."""
    own: int = 1
    """Computing processes that belong to the measurement."""

    def __call__(self) -> str:
        state = self.look()
        known = [self.clocks[0], self.clocks[-1]] if self.clocks else []
        self.clocks.append(state.clock_mhz)
        if state.processes > self.own:
            return "another process"
        for bit, name in SLOWED.items():
            if state.reasons & bit:
                return name
        if any(abs(state.clock_mhz - clock) > CLOCK_CHANGE * clock for clock in known):
            return "clock changed"
        return ""


def nvml_look(nvml: Any, uuid: str) -> Look:
    """A look through NVML; ``nvml`` is the module ``pynvml``, ``uuid`` as ``GPU-...``."""
    nvml.nvmlInit()
    gpu = nvml.nvmlDeviceGetHandleByUUID(uuid)
    # NVML 12 renamed throttle reasons to event reasons
    reasons = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
    reasons = reasons or nvml.nvmlDeviceGetCurrentClocksThrottleReasons

    def look() -> State:
        return State(
            int(nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM)),
            int(reasons(gpu)),
            len(nvml.nvmlDeviceGetComputeRunningProcesses(gpu)),
        )

    return look


def smi_look(uuid: str, run: Callable[..., Any] = subprocess.run) -> Look:
    """A look by two calls of ``nvidia-smi``, some tens of milliseconds each."""

    def ask(query: str) -> list[str]:
        command = ["nvidia-smi", f"--id={uuid}", query, "--format=csv,noheader,nounits"]
        done = run(command, capture_output=True, text=True, check=True)
        return [line.strip() for line in done.stdout.splitlines() if line.strip()]

    def look() -> State:
        (line,) = ask("--query-gpu=clocks.sm,clocks_throttle_reasons.active")
        clock, _, reasons = line.partition(",")
        processes = len(ask("--query-compute-apps=pid"))
        return State(int(clock), int(reasons.strip(), 16), processes)

    return look


def gpu_look(cuda: Any) -> Look | None:
    """A look at the GPU that torch uses (``cuda`` is ``torch.cuda``), None if there is no way."""
    uuid = f"GPU-{cuda.get_device_properties(cuda.current_device()).uuid}"
    try:
        import pynvml  # pyright: ignore[reportMissingImports]

        look = nvml_look(pynvml, uuid)
        look()
    except Exception:  # not installed, no driver library, or a GPU that NVML can't see
        look = smi_look(uuid)
        try:
            look()
        except (OSError, ValueError, subprocess.SubprocessError):
            return None
    return look
