"""Writes distributions.json, SciPy's values that the Reporting tests compare with:
python3 distributions.py > distributions.json
"""
import json
import random

import scipy
from scipy import stats
from scipy.stats import PermutationMethod

rng = random.Random(20260101)
out = {"source": f"SciPy {scipy.__version__}; random.Random(20260101)"}
rows = []
for df in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 19, 29, 49, 99, 100, 499, 1000]:
    for t in [0.0, 0.001, 0.01, 0.3, 0.5, 0.9, 1.0, 1.3, 2.0, 2.776, 3.5, 5.0, 8.0, 12.5, 31.0, 100.0]:
        rows.append({"df": df, "t": t, "p": float(2 * stats.t.sf(t, df))})
out["two_sided_p"] = rows
rows = []
for df in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 19, 29, 49, 99, 100, 499, 1000]:
    for level in [0.5, 0.8, 0.9, 0.95, 0.99, 0.999]:
        rows.append({"df": df, "level": level, "t": float(stats.t.ppf(0.5 + level / 2, df))})
out["quantiles"] = rows
rows = []
for n in range(2, 31):
    for repeat in range(3):
        a = [rng.randrange(8000, 9500) for _ in range(n)]
        # Small differences often tie; drawn from distinct sizes they never do.
        sizes = [rng.randrange(0, 110) for _ in a] if repeat == 0 else rng.sample(range(1, 900), n)
        b = [x - size * rng.choice([-1, 1, 1]) for x, size in zip(a, sizes)]
        d = [x - y for x, y in zip(a, b)]
        t = stats.ttest_rel(a, b)
        e = stats.t.interval(0.95, n - 1, loc=float(sum(d) / n), scale=float(stats.sem(d)))
        row = {"a": a, "b": b, "t": float(t.statistic), "t_p": float(t.pvalue),
               "interval": [float(e[0]), float(e[1])]}
        nonzero = [x for x in d if x != 0]
        tied = len(set(map(abs, nonzero))) < len(nonzero)
        if not tied:
            row["wilcoxon_p"] = float(stats.wilcoxon(nonzero, method="exact").pvalue)
        elif len(nonzero) <= 12:
            # With ties, SciPy's exact method assumes there are none; every sign is tried instead.
            row["wilcoxon_p"] = float(stats.wilcoxon(
                nonzero, method=PermutationMethod(n_resamples=10**6)).pvalue)
        rows.append(row)
for d in [[3, 3, 3, -3, 5, 5], [1, 1, 1, 1, 1, 1, 1], [0, 0, 4, -2, 2, 2, 6, 7, 9],
          [5, -5, 5, -5, 10, 1, 1, -1], [2, 2, -2, 4, 4, 4, -4, 6, 6, 8]]:
    nonzero = [x for x in d if x]
    a = [9000 + x for x in d]
    rows.append({"a": a, "b": [9000] * len(d), "wilcoxon_p": float(stats.wilcoxon(
        nonzero, method=PermutationMethod(n_resamples=10**6)).pvalue)})
out["pairs"] = rows
print(json.dumps(out, separators=(",", ":")))
