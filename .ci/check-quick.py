"""Checks what the quick sweep found: complete, consistent, and far above chance."""

import json
import sys

results = json.load(open(sys.argv[1]))
trials = results["trials"]
failures = []


def expect(holds, message):
    if not holds:
        failures.append(message)


def correct(trial):
    return [cycle["correct"] for cycle in trial["cycles"]]


expect(results["schema"] == 1, "the schema is 1")
expect(len(trials) == 8, f"8 trials, not {len(trials)}")
for trial in trials:
    name = trial["id"]
    expect(trial["state"] == "done", f"{name} is done, not {trial['state']}")
    expect([c["cycle"] for c in trial["cycles"]] == [1, 2, 3], f"{name} has cycles 1 to 3")
    expect([c["labelled"] for c in trial["cycles"]] == [200, 400, 600], f"{name}'s labels")
    for cycle in trial["cycles"]:
        for key in ("labelled", "correct", "total", "test_loss", "seconds", "host", "attempt"):
            expect(key in cycle, f"{name} cycle {cycle['cycle']} has {key}")
    accuracies = [c["accuracy"] for c in trial["cycles"]]
    expect(accuracies[-1] > 60, f"{name} ends at {accuracies[-1]} %, far above chance (10 %)")

first = [t for t in trials if not t["time_seeded"]]
dqn = [t for t in first if t["strategy"] == "dqn"]
timed = [t for t in trials if t["time_seeded"]]
expect(len({correct(t)[0] for t in first}) == 1, "cycle 1 is equal for all strategies")
expect(len({correct(t)[1] for t in dqn}) == 1, "cycle 2 is equal for all gradient steps")
taken = sum(c["shared"] for t in trials for c in t["cycles"])
expect(taken == 3, f"3 networks are taken from other trials, not {taken}")
expect(len({t["seed"] for t in timed}) == 5, "five distinct time seeds")
expect(len({t["gradient_steps"] for t in timed}) == 1, "one choice of gradient steps")
means = [sum(t["cycles"][c]["accuracy"] for t in timed) / 5 for c in range(3)]
expect(means == sorted(means), f"the five-run mean rises: {means}")

for failure in failures:
    print("does not hold:", failure)
print(f"{'FAILED' if failures else 'ok'}: five-run means {[round(m, 3) for m in means]}")
sys.exit(bool(failures))
