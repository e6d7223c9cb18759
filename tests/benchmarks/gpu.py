"""The engine on a graphics card: right first, then fast. One table at the end.

    python tests/benchmarks/gpu.py [--only correctness|speed] [--device cpu --tiny]

It takes one NVIDIA card (the reference is an H200), torch 2.11 to 2.13 with Triton, transformers,
and no network: weights are random and made on the card. It takes under eight minutes. Correctness
is against transformers on the CPU in float32. Decode is a share of what the card's memory could
do: the weights and the cached keys and values are read once for each token, at the bandwidth that
copies reach in this same run; transformers decodes beside it. Times include the host's work: block
tables, the launch, the choice of the likeliest token and its way back.

With `--device cpu --tiny` all of it runs in small on a CPU, to see that it runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Check, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--tiny", action="store_true", help="small shapes and few steps")
    parser.add_argument("--only", choices=["correctness", "speed"])
    arguments = parser.parse_args()
    # Nothing is installed on the machine but what the first lines name.
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

    import torch
    from gpu_correctness import check_all
    from gpu_report import Report
    from gpu_speed import measure_all

    began = time.perf_counter()
    device = torch.device(arguments.device)
    report = Report()
    if arguments.only != "speed":
        check_all(device, report, tiny=arguments.tiny)
    if arguments.only != "correctness":
        measure_all(device, report, tiny=arguments.tiny)
    report.print(device, time.perf_counter() - began)
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
