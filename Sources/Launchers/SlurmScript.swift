import Foundation
import SweepModel

/// A group's job: one worker, whose trials are given back, saved, before the job's time is up.
struct SlurmScript {
    /// Saving a cycle and telling of it takes seconds; a shared disk may be slow.
    static let longestNoticeSeconds = 180

    let sweep: LaunchedSweep
    let group: SlurmGroup
    /// The group's place in the cluster file.
    let index: Int

    /// By its name the jobs are found again, also by the run's next coordinator.
    var jobName: String { "alsweep-\(sweep.run)-\(index)" }

    var path: String { "\(sweep.folder.path)/slurm/\(index).sh" }

    var slots: Int {
        group.setup.gpus?.slots(gpuCount: group.gpuCount) ?? group.setup.slots ?? 1
    }

    /// - Parameter key: the client certificate's text, for machines that do not see the run's folder.
    func text(key: String?) -> String {
        var lines = ["#!/bin/bash"]
        lines += options.map { "#SBATCH \($0)" }
        lines += ["set -u", ""]
        if let key, !group.isShared {
            lines += [
                "umask 077", "key=$(mktemp)", "trap 'rm -f \"$key\"' EXIT",
                "cat >\"$key\" <<'ALSWEEP_KEY'",
                key + (key.hasSuffix("\n") ? "" : "\n") + "ALSWEEP_KEY", "",
            ]
        }
        if let preparation = group.preparation { lines += [preparation] }
        lines += [
            "job=${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}",
            "unique=$(cut -c 1-8 /proc/sys/kernel/random/uuid)",
            workerLine,
            "worker=$!",
            "# Before the time limit, and at a cancellation: the worker gives its trials back, saved.",
            "trap 'kill -TERM \"$worker\" 2>/dev/null' USR2 TERM",
            "while :; do",
            "    wait \"$worker\"",
            "    status=$?",
            "    # A signal interrupts the wait.",
            "    kill -0 \"$worker\" 2>/dev/null || break",
            "done",
            "exit \"$status\"",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private var workerLine: String {
        let program =
            if case .installed(let path) = group.setup.program { shellPath(path) } else {
                "alsweep"
            }
        let certificate =
            sweep.certificatePath.map {
                " --certificate " + (group.isShared ? shellWord($0) : "\"$key\"")
            } ?? ""
        return "\(group.setup.assignments)\(program) worker --connect \(shellWord(sweep.endpoint)) "
            + group.setup.options(slots: slots) + certificate + walltime
            + " --identifier \"slurm-$job.${SLURM_RESTART_COUNT:-0}-$unique\" &"
    }

    /// So that the worker is given no cycle that cannot end before the job's notice.
    private var walltime: String {
        guard let seconds = group.time.flatMap(Self.seconds) else { return "" }
        return " --walltime \(max(1, seconds - noticeSeconds))"
    }

    /// sbatch reads an option's value up to the first blank, unless it is in double quotes.
    private var options: [String] {
        let log = group.isShared ? "\"\(sweep.folder.logs)/slurm-%A_%a.log\"" : "alsweep-%A_%a.log"
        var options = [
            "--job-name=\(jobName)", "--output=\(log)", "--open-mode=append", "--requeue",
            "--signal=B:USR2@\(noticeSeconds)", "--nodes=1", "--ntasks=1",
            "--cpus-per-task=\(group.processors ?? slots * group.setup.threads)",
        ]
        for (name, value) in [
            ("partition", group.partition), ("account", group.account), ("time", group.time),
            ("mem", group.memory), ("gres", resources),
        ] {
            if let value { options.append("--\(name)=\(value)") }
        }
        return options + group.options
    }

    private var resources: String? {
        guard group.resources.flatMap(gpuCount) == nil, let count = group.gpuCount else {
            return group.resources
        }
        return [group.resources, "gpu:\(count)"].compactMap { $0 }.joined(separator: ",")
    }

    /// A job that is told of its end when it begins would do nothing.
    private var noticeSeconds: Int {
        guard let seconds = group.time.flatMap(Self.seconds) else {
            return Self.longestNoticeSeconds
        }
        return min(Self.longestNoticeSeconds, max(1, seconds / 4))
    }

    /// What sbatch takes a time for: minutes, minutes:seconds, hours:minutes:seconds, and with days
    /// in front days-hours, days-hours:minutes, days-hours:minutes:seconds.
    static func seconds(_ time: String) -> Int? {
        let words = time.split(separator: "-")
        let parts = words.last?.split(separator: ":").compactMap { Int($0) } ?? []
        if words.count == 2, let days = Int(words[0]) {
            let factors = [3_600, 60, 1]
            return days * 86_400 + zip(parts, factors).reduce(0) { $0 + $1.0 * $1.1 }
        }
        return switch parts.count {
        case 1: parts[0] * 60
        case 2: parts[0] * 60 + parts[1]
        case 3: parts[0] * 3_600 + parts[1] * 60 + parts[2]
        default: nil
        }
    }
}
