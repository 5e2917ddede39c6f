#!/usr/bin/env python3
"""Breaks every promise of docs/promises.md on purpose, and looks whether its tests notice.

    Tests/Promises/break.py                    all of them: a build, and about an hour on two idle cores
    Tests/Promises/break.py --only no-fence    one breakage; --list names them

Tests/Promises/breakages.json says which text of the sources is replaced by which, and which tests of
its row must fail then (all, without a list). BROKEN in it is true while that breakage is tried, so that
one build has them all: of a copy of the working tree in --scratch. The copy is first tested with nothing
broken. What was found stands in results.json there, by the sources, and is not tried again unless
--again is given."""

import argparse
import fnmatch
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COPIED = ("Package.swift", "Package.resolved", "Sources", "Tests", "sweeps", "docs", "cluster")
TEST_LIMIT_SECONDS = 900
NOTICED = ("failed", "ended the process", "did not end")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def promises():
    """The rows of the table: the promise, and the names of its tests."""
    rows = []
    for line in read("docs/promises.md").splitlines():
        cells = line.split("|")
        if line.startswith("| ") and len(cells) > 3 and cells[1].strip() != "promise":
            rows.append((cells[1].strip(), re.findall('"([^"]*)"', cells[2])))
    return rows


def functions():
    """Names of tests, and the module and the function of each."""
    found = {}
    for folder, _, names in os.walk(os.path.join(ROOT, "Tests")):
        for name in fnmatch.filter(names, "*.swift"):
            path = os.path.relpath(os.path.join(folder, name), ROOT)
            for match in re.finditer(r'@Test\(\s*"([^"\\]*)"(?:(?!@Test).)*?func (\w+)', read(path), re.S):
                found[match[1]] = (path.split(os.sep)[1], match[2])
    return found


def breakages():
    rows, found = promises(), []
    for breakage in json.loads(read("Tests/Promises/breakages.json")):
        matching = [tests for promise, tests in rows if promise.startswith(breakage["promise"])]
        if len(matching) != 1:
            sys.exit(f"error: '{breakage['promise']}' begins {len(matching)} rows of docs/promises.md, not one")
        breakage["tests"] = breakage.get("tests", matching[0])
        for edit in breakage["edits"]:
            edit["old"], edit["new"] = "\n".join(edit["old"]), "\n".join(edit["new"])
            count = read(edit["file"]).count(edit["old"])
            if count != 1:
                sys.exit(f"error: {edit['file']} has {count} times, not once:\n{edit['old']}\n"
                         "hint: bring Tests/Promises/breakages.json up to the sources")
        found.append(breakage)
    noticing = {test for breakage in found for test in breakage["tests"]}
    for promise, tests in rows:
        for test in tests:
            if test not in noticing:
                sys.exit(f"error: no breakage is meant for \"{test}\" of '{promise[:60]}'")
    return found


class Scratch:
    """A copy of the working tree with all breakages in it, and a file that says which is tried."""

    def __init__(self, folder, prefix, breakages):
        self.folder, self.prefix, self.wanted = os.path.abspath(folder), prefix.split(), {}
        self.switch = os.path.join(self.folder, "broken")
        for name in COPIED:
            top = os.path.join(ROOT, name)
            files = [top] if os.path.isfile(top) else [
                os.path.join(place, file) for place, _, names in os.walk(top) for file in names]
            for file in files:
                with open(file, "rb") as opened:
                    self.wanted[os.path.relpath(file, ROOT)] = opened.read()
        self.breaks(breakages)
        self.write()

    def breaks(self, breakages):
        edits = {}
        for breakage in breakages:
            for edit in breakage["edits"]:
                edits.setdefault((edit["file"], edit["old"], edit["new"]), []).append(breakage["name"])
        used = {}
        for (file, old, new), names in edits.items():
            condition = " || ".join(f"isBroken_{name.replace('-', '_')}" for name in names)
            text = self.wanted[file].decode()
            if text.count(old) != 1:
                sys.exit(f"error: two breakages change the same text of {file}:\n{old}")
            self.wanted[file] = text.replace(old, new.replace("BROKEN", f"({condition})")).encode()
            used.setdefault(file, set()).update(names)
        for file, names in used.items():
            lines = ["", "import Glibc"]
            for name in sorted(names):
                lines += [
                    f"private let isBroken_{name.replace('-', '_')}: Bool = {{",
                    f"    guard let file = fopen({json.dumps(self.switch)}, \"r\") else {{ return false }}",
                    "    defer { fclose(file) }",
                    "    var bytes = [CChar](repeating: 0, count: 100)",
                    "    fread(&bytes, 1, 99, file)",
                    f"    return strcmp(bytes, {json.dumps(name)}) == 0",
                    "}()"]
            self.wanted[file] += ("\n".join(lines) + "\n").encode()

    def write(self):
        """Touches only what differs, so that the build is incremental."""
        for name in ("Sources", "Tests"):
            for place, _, files in os.walk(os.path.join(self.folder, name)):
                for file in files:
                    path = os.path.join(place, file)
                    if os.path.relpath(path, self.folder) not in self.wanted:
                        os.remove(path)
        for path, content in self.wanted.items():
            target = os.path.join(self.folder, path)
            if os.path.exists(target) and open(target, "rb").read() == content:
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(content)
            shutil.copymode(os.path.join(ROOT, path), target)

    def swift(self, *arguments, limit=None):
        environment = {name: value for name, value in os.environ.items() if name != "ALSWEEP_STRICT"}
        process = subprocess.Popen(
            self.prefix + ["swift", *arguments], cwd=self.folder, env=environment, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=limit)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, process.communicate()[0]

    def build(self):
        status, output = self.swift("build", "--build-tests")
        if status:
            sys.exit(f"error: the broken sources do not compile:\n{output[-4000:]}")

    def verdicts(self, name, tests, known):
        """Of every test: passed, failed, ended the process, did not end, or did not run."""
        with open(self.switch, "w") as file:
            file.write(name)
        found = {}
        # A test of processes may disturb others; those that share a module run together.
        for module in sorted({known[test][0] for test in tests}):
            together = [test for test in tests if known[test][0] == module]
            found.update(self.run(together, known))
            for test in together:
                if test not in found:
                    # One that ended the process took it with it.
                    found.update(self.run([test], known))
        os.remove(self.switch)
        return found

    def run(self, tests, known):
        filters = []
        for test in tests:
            module, function = known[test]
            filters += ["--filter", rf"^{module}\.(.*/)?{function}\("]
        status, output = self.swift("test", "--skip-build", *filters, limit=TEST_LIMIT_SECONDS * len(tests))
        with open(os.path.join(self.folder, "last.log"), "w") as file:
            file.write(output)
        found = {}
        for test in tests:
            line = re.search(rf'^\S+ +Test "{re.escape(test)}"[^\n]* (passed|failed|skipped)\b', output, re.M)
            if line:
                found[test] = line[1]
        if len(tests) == 1 and not found:
            found[tests[0]] = "did not end" if status is None else "ended the process" if status else "did not run"
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", action="append", help="a breakage; may be repeated")
    parser.add_argument("--scratch", default=os.path.join(ROOT, ".build", "promises"), help="the copy's folder")
    parser.add_argument("--prefix", default="", help="a command before every swift, as in 'nice -n 10'")
    parser.add_argument("--again", action="store_true", help="also what was tried before")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    known, every = functions(), breakages()
    chosen = [one for one in every if not options.only or one["name"] in options.only]
    if options.list or not chosen:
        for one in every:
            print(f"{one['name']:22} {one['promise']}: {one['breaks']}")
        sys.exit(0 if options.list else 2)
    tests = dict.fromkeys(test for one in chosen for test in one["tests"])
    chosen.insert(0, {"name": "nothing", "breaks": "nothing is broken", "tests": list(tests), "edits": []})
    scratch = Scratch(options.scratch, options.prefix, every)
    scratch.build()
    sources = hashlib.sha256(b"".join(
        content for path, content in sorted(scratch.wanted.items()) if not path.startswith("docs"))).hexdigest()
    record = os.path.join(scratch.folder, "results.json")
    results = json.load(open(record)) if os.path.exists(record) else {}
    wrong = 0
    for one in chosen:
        key = f"{one['name']} {sources}"
        if key not in results or options.again:
            begin = time.monotonic()
            verdicts = scratch.verdicts(one["name"], one["tests"], known)
            results[key] = {"verdicts": verdicts, "seconds": round(time.monotonic() - begin)}
            with open(record, "w") as file:
                json.dump(results, file, indent=1)
        print(f"{one['name']}: {one['breaks']} ({results[key]['seconds']} s)")
        for test in one["tests"]:
            verdict = results[key]["verdicts"].get(test, "did not run")
            is_right = verdict in (NOTICED if one["edits"] else ("passed",))
            wrong += not is_right
            print(f"  {'' if is_right else 'WRONG: '}{verdict}: {test}", flush=True)
    print(f"{len(chosen) - 1} breakages; {wrong} tests did not do as they must")
    sys.exit(1 if wrong else 0)


main()
