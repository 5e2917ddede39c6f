#!/usr/bin/env python3
"""Fails where the logits in two files differ: compare_logits.py EXPECTED FOUND [TOLERANCE]."""

import sys

from load_model import largest_difference
from safetensors.torch import load_file

expected, found = (load_file(path)["logits"] for path in sys.argv[1:3])
tolerance = float(sys.argv[3]) if len(sys.argv) > 3 else 1e-4
difference = largest_difference(expected, found)
print(f"largest relative difference of logits: {difference:.2e}")
if difference > tolerance:
    sys.exit(f"error: {sys.argv[2]} differs from {sys.argv[1]} by more than {tolerance:g}")
