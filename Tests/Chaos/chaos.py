#!/usr/bin/env python3
"""Runs a small sweep while everything around it breaks, and compares every number with a sweep that
nothing disturbed.

    Tests/Chaos/chaos.py --alsweep .build/release/alsweep --rounds 20 --seed 1 --cut 5 120

A round has a coordinator, a worker that sees the run's folder, and one that does not. For --seconds they
are killed with SIGKILL at random (coordinator, workers, trials' processes), stopped for a while, cut off
the network, and their disk is filled. Then they are left alone until the sweep is finished. As root the
second worker lives in a network namespace of its own, whose link is set down, and the run on a small
tmpfs; without it the worker is stopped instead, and no disk is filled. The same seed draws the same
faults; when they strike depends on the machine."""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SWEEP = """# Do the numbers stay the same when everything around them breaks?
name: chaos
protocol: {width: 4, epochs: %d, batch_size: 20, learning_rate: 0.05, cycles: 3,
           initial: 40, addendum: 40, pool_limit: 300, test_limit: 200}
stages:
  - name: steps
    datasets: [fashionmnist]
    seeds: [0, 1]
    strategies:
      - random
      - dqn: {gradient_steps: [5, 10]}
"""
LEASE_SECONDS = 4
ROUND_LIMIT_SECONDS = 240


def is_root():
    return os.geteuid() == 0


def sh(*command):
    return subprocess.run(command, capture_output=True, text=True)


class Link:
    """A network namespace joined to this one by a cable that can be pulled."""

    def __init__(self, number):
        tag = f"{os.getpid() % 10000}r{number}"
        self.space, self.here, self.there = f"alsweep{tag}", f"av{tag}", f"aw{tag}"
        subnet = f"10.{100 + os.getpid() % 100}.{number % 250}"
        self.address = f"{subnet}.1"
        inside = ("ip", "netns", "exec", self.space, "ip")
        for command in (
            ("ip", "netns", "add", self.space),
            ("ip", "link", "add", self.here, "type", "veth", "peer", "name", self.there),
            ("ip", "link", "set", self.there, "netns", self.space),
            ("ip", "addr", "add", f"{self.address}/24", "dev", self.here),
            ("ip", "link", "set", self.here, "up"),
            inside + ("addr", "add", f"{subnet}.2/24", "dev", self.there),
            inside + ("link", "set", self.there, "up"),
            inside + ("link", "set", "lo", "up"),
        ):
            done = sh(*command)
            if done.returncode:
                self.remove()
                raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")

    def set(self, state):
        sh("ip", "link", "set", self.here, state)

    def remove(self):
        sh("ip", "link", "del", self.here)
        sh("ip", "netns", "del", self.space)


class Round:
    def __init__(self, options, number, reference):
        self.options, self.number, self.reference = options, number, reference
        self.draw = random.Random(f"{options.seed}/{number}")
        self.folder = tempfile.mkdtemp(prefix="alsweep-chaos-")
        # Rounds with short cuts have many, those with long ones hardly anything else.
        shortest, longest = options.cut
        self.longest_cut = max(shortest, longest / self.draw.choice([1, 1, 2, 4, 8]))
        self.begin = time.monotonic()
        self.events, self.children = [], {}
        self.runs = self.folder + "/runs"
        os.mkdir(self.runs)
        self.link, self.has_disk = None, False
        self.healings = []

    def say(self, text):
        line = f"{time.monotonic() - self.begin:6.1f} s  {text}"
        self.events.append(line)
        if self.options.verbose:
            print("  " + line, flush=True)

    # Who takes part

    def set_up(self):
        with open(self.folder + "/chaos.yaml", "w") as file:
            file.write(SWEEP % self.options.epochs)
        if is_root():
            self.has_disk = sh("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", self.runs).returncode == 0
            try:
                self.link = Link(self.number)
            except (RuntimeError, OSError) as error:
                self.say(f"no network namespace: {error}")
        self.host = self.link.address if self.link else "127.0.0.1"
        self.port = 20000 + (os.getpid() * 7 + self.number * 13) % 20000
        self.start("coordinator")
        self.wait(lambda: os.path.exists(self.run_folder() + "/endpoint"), "the coordinator to listen")
        self.start("near worker")
        self.start("far worker")

    def run_folder(self):
        names = [name for name in os.listdir(self.runs) if not name.startswith(".")]
        return f"{self.runs}/{names[0]}" if names else self.runs + "/none"

    def start(self, who):
        alsweep = self.options.alsweep
        if who == "coordinator":
            command = [alsweep, "launch", "chaos.yaml", "--runs", self.runs, "--slots", "0",
                       "--lease", str(LEASE_SECONDS), "--bind", f"tcp://{self.host}:{self.port}"]
        else:
            command = [alsweep, "worker", "--slots", "1", "--idle-exit", "600"]
            if self.link:
                command += ["--certificate", self.run_folder() + "/keys/client.cert"]
            if who == "near worker":
                command += ["--connect", self.run_folder()]
            else:
                command += ["--connect", f"tcp://{self.host}:{self.port}", "--separate",
                            "--scratch", self.folder + "/scratch"]
                if self.link:
                    command = ["ip", "netns", "exec", self.link.space] + command
        log = open(f"{self.folder}/{who.replace(' ', '-')}.log", "ab")
        environment = dict(os.environ, XDG_CACHE_HOME=self.folder + "/cache")
        self.children[who] = subprocess.Popen(
            command, cwd=self.folder, stdout=log, stderr=log, env=environment, start_new_session=True)

    def descendants(self, who):
        """The trials' processes of a worker."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            if parent == self.children[who].pid:
                found.append(int(name))
        return found

    # What happens to them

    def kill(self, who):
        process = self.children[who]
        if process.poll() is None:
            process.kill()
        process.wait()
        pause = self.draw.uniform(0, 3)
        self.say(f"the {who} is killed, and comes back in {pause:.1f} s")
        self.healings.append((time.monotonic() + pause, lambda: self.start(who), who))

    def kill_trial(self):
        who = self.draw.choice(["near worker", "far worker"])
        for pid in self.descendants(who)[:1]:
            self.say(f"a trial's process of the {who} is killed")
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def stop(self):
        who = self.draw.choice(["near worker", "far worker", "coordinator"])
        process, pause = self.children[who], self.draw.uniform(1, 3 * LEASE_SECONDS)
        self.say(f"the {who} is stopped for {pause:.1f} s")
        process.send_signal(signal.SIGSTOP)
        self.healings.append((time.monotonic() + pause, lambda: process.send_signal(signal.SIGCONT), who))

    def cut(self):
        pause = self.draw.uniform(self.options.cut[0], self.longest_cut)
        if not self.link:
            return self.stop()
        self.say(f"the network is cut for {pause:.1f} s")
        self.link.set("down")
        self.healings.append((time.monotonic() + pause, lambda: self.link.set("up"), "network"))

    def fill(self):
        if not self.has_disk:
            return self.kill_trial()
        pause = self.draw.uniform(2, 6)
        self.say(f"the disk is full for {pause:.1f} s")
        path = self.runs + "/.filler"
        filler = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            while os.write(filler, bytes(4096)):
                pass
        except OSError:
            pass
        os.close(filler)
        self.healings.append((time.monotonic() + pause, lambda: os.path.exists(path) and os.remove(path), "disk"))

    def heal(self, everything=False):
        now = time.monotonic()
        due = [healing for healing in self.healings if everything or healing[0] <= now]
        self.healings = [healing for healing in self.healings if healing not in due]
        for _, mend, _ in due:
            mend()

    def harm(self):
        harms = [lambda: self.kill("coordinator"), lambda: self.kill("near worker"),
                 lambda: self.kill("far worker"), self.kill_trial, self.stop, self.cut, self.fill]
        harmed = {healing[2] for healing in self.healings}
        chosen = self.draw.choice(harms)
        if len(harmed) < 2 and not (harmed & {"coordinator", "near worker", "far worker"}):
            chosen()

    def is_finished(self):
        return self.children["coordinator"].poll() == 0

    def run(self):
        self.set_up()
        end = self.begin + self.options.seconds
        while time.monotonic() < end and not self.is_finished():
            pause = time.monotonic() + self.draw.uniform(0.5, 4)
            while time.monotonic() < pause:
                self.heal()
                time.sleep(0.05)
            self.harm()
        # What was begun lasts as long as it was drawn to: also a cut much longer than the faults.
        while self.healings and not self.is_finished():
            self.heal()
            time.sleep(0.05)
        self.heal(everything=True)
        self.say("left alone")
        deadline = time.monotonic() + ROUND_LIMIT_SECONDS
        while not self.is_finished():
            if time.monotonic() > deadline:
                raise RuntimeError("the sweep does not finish")
            for who, process in list(self.children.items()):
                # A coordinator that gives up, or a worker that has lost patience, is started again as
                # a person would.
                if process.poll() is not None and not self.is_finished():
                    self.say(f"the {who} has ended with {process.returncode} and is started again")
                    if who == "coordinator" and process.returncode not in (0, 75, -9) and not self.had_no_space():
                        raise RuntimeError(f"the coordinator failed with {process.returncode}")
                    self.start(who)
            time.sleep(0.2)
        self.compare()

    def wait(self, holds, what):
        deadline = time.monotonic() + 60
        while not holds():
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited in vain for {what}")
            time.sleep(0.05)

    def had_no_space(self):
        """Whether the coordinator could not begin on the full disk, and said so with the remedy."""
        with open(self.folder + "/coordinator.log") as file:
            return any("no space is left" in line for line in file.readlines()[-2:])

    def compare(self):
        found = numbers(self.options.alsweep, self.run_folder())
        for key in sorted(self.reference.keys() | found.keys()):
            if self.reference.get(key) != found.get(key):
                raise RuntimeError(
                    f"{key}: {found.get(key)}, and {self.reference.get(key)} undisturbed")
        check = sh(self.options.alsweep, "journal", "check", self.run_folder())
        if check.returncode:
            raise RuntimeError(f"the journal is not whole: {check.stdout}{check.stderr}")
        for trial in {key[0] for key in found}:
            for kind in ("models", "checkpoints"):
                if not os.path.exists(f"{self.run_folder()}/{kind}/{trial}.safetensors"):
                    raise RuntimeError(f"{kind}/{trial}.safetensors is missing")

    def clean_up(self, keeps):
        for process in self.children.values():
            if process.poll() is None:
                try:
                    os.killpg(process.pid, signal.SIGCONT)
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()
        if self.link:
            self.link.remove()
        if keeps and self.has_disk:
            shutil.copytree(self.runs, self.folder + "/kept", dirs_exist_ok=True)
        if self.has_disk:
            sh("umount", "-l", self.runs)
        if not keeps:
            shutil.rmtree(self.folder, ignore_errors=True)


def numbers(alsweep, run):
    done = sh(alsweep, "collect", run, "--format", "json")
    if done.returncode:
        raise RuntimeError(f"collect failed: {done.stderr}")
    found = {}
    for trial in json.loads(done.stdout)["trials"]:
        if trial["state"] != "done":
            raise RuntimeError(f"{trial['id']} is {trial['state']}")
        for cycle in trial["cycles"]:
            # Not how long it took, nor where and by whom.
            kept = {key: value for key, value in cycle.items()
                    if not re.search("seconds|host|attempt|shared", key)}
            found[trial["id"], cycle["cycle"]] = kept
    return found


def undisturbed(options):
    folder = tempfile.mkdtemp(prefix="alsweep-chaos-")
    try:
        with open(folder + "/chaos.yaml", "w") as file:
            file.write(SWEEP % options.epochs)
        done = subprocess.run(
            [options.alsweep, "launch", "chaos.yaml", "--quiet"], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"error: the undisturbed sweep failed:\n{done.stderr}")
        return numbers(options.alsweep, f"{folder}/runs/{os.listdir(folder + '/runs')[0]}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alsweep", default=".build/release/alsweep", help="the program")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first round, to repeat one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=25, help="of faults in every round")
    parser.add_argument("--epochs", type=int, default=60, help="of every cycle: how long trials take")
    parser.add_argument("--cut", type=float, nargs=2, default=(1, 12), metavar=("FROM", "TO"),
                        help="seconds without network; each round draws how much of this it uses")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    options.alsweep = os.path.abspath(options.alsweep)
    reference = undisturbed(options)
    failed = 0
    for number in range(options.first, options.first + options.rounds):
        trouble = None
        attempt = Round(options, number, reference)
        try:
            attempt.run()
        except (RuntimeError, OSError) as error:
            trouble = error
        except BaseException:
            attempt.clean_up(keeps=False)
            raise
        attempt.clean_up(keeps=trouble is not None)
        seconds = time.monotonic() - attempt.begin
        faults = sum(" is " in event or " are " in event for event in attempt.events)
        if trouble:
            failed += 1
            print(f"round {number}: {trouble}\n  " + "\n  ".join(attempt.events), flush=True)
            print(f"  kept: {attempt.folder}", flush=True)
        else:
            print(f"round {number}: {faults} faults, {len(reference)} cycles with the undisturbed numbers, "
                  f"{seconds:.0f} s", flush=True)
    print(f"{options.rounds - failed} of {options.rounds} rounds as undisturbed (seed {options.seed})")
    sys.exit(1 if failed else 0)


main()
