import ChildProcess
import Foundation
import SweepModel

/// Asks Slurm for workers, as many as there are trials that can use them, and gives them back.
public final class SlurmLauncher: Launcher {
    /// After the sweep the workers get so long to end by themselves.
    private static let patienceMs: Int64 = 8_000

    private enum Ending {
        case none
        case withdrawing(CommandRun)
        case waiting
        case looking(CommandRun)
        case cancelling(CommandRun)
        case done
    }

    private let script: SlurmScript
    private let folder: String
    private var queue: SlurmQueue
    private var run: (step: SlurmStep, command: CommandRun)?
    private var ending = Ending.none
    private var endBegan: Int64 = 0
    private var nextLook: Int64 = 0

    /// - Parameter index: the group's place in the cluster file.
    public init(_ group: SlurmGroup, index: Int, _ sweep: LaunchedSweep) throws(LauncherError) {
        script = SlurmScript(sweep: sweep, group: group, index: index)
        folder = "\(sweep.folder.path)/slurm"
        let logs =
            group.isShared
            ? "see \(sweep.folder.logs)/slurm-*.log"
            : "see alsweep-*.log in the folder of this launch, on the jobs' machines"
        queue = SlurmQueue(
            label: group.partition.map { "slurm \($0)" } ?? "slurm", slots: script.slots,
            jobLimit: group.jobLimit, arrayLimit: group.arrayLimit, logHint: logs)
        try Self.write(script, sweep, to: folder)
    }

    private static func write(
        _ script: SlurmScript, _ sweep: LaunchedSweep, to folder: String
    ) throws(LauncherError) {
        let key = sweep.certificatePath.flatMap { try? String(contentsOfFile: $0, encoding: .utf8) }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            // It may hold a key.
            let made = FileManager.default.createFile(
                atPath: script.path, contents: Data(script.text(key: key).utf8),
                attributes: [.posixPermissions: 0o700])
            guard made else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            throw .unwritable(path: script.path)
        }
    }

    private var listCommand: Command {
        Command([
            "squeue", "--noheader", "--array", "--states=all", "--name=\(script.jobName)",
            "-O", SlurmJob.columns,
        ])
    }

    public func step(_ situation: SweepSituation, at now: Int64) -> [LauncherNotice] {
        var notices: [LauncherNotice] = []
        if let run, let result = run.command.poll(at: now) {
            self.run = nil
            notices = queue.finished(run.step, result, situation, at: now)
        }
        guard run == nil, let step = queue.step(at: now) else { return notices }
        do {
            run = (step, try CommandRun(command(step), folder: folder, at: now))
        } catch {
            let result = CommandResult(status: nil, output: "\(error)")
            notices += queue.finished(step, result, situation, at: now)
        }
        return notices
    }

    private func command(_ step: SlurmStep) -> Command {
        switch step {
        case .list: listCommand
        case .submit(let count):
            Command(["sbatch", "--parsable", "--array=0-\(count - 1)", script.path])
        case .cancel(let ids): Command(["scancel"] + ids)
        }
    }

    /// Jobs that wait are withdrawn at once; those that run end with their workers, or are made to.
    public func end(at now: Int64) -> Bool {
        if let run {
            // A submission that is under way would be missed.
            guard run.command.poll(at: now) != nil else { return false }
            self.run = nil
        }
        switch ending {
        case .none:
            endBegan = now
            ending = start(["--state=PENDING"], at: now).map { .withdrawing($0) } ?? .done
        case .withdrawing(let command):
            if command.poll(at: now) != nil { ending = .waiting }
        case .waiting:
            guard now >= nextLook else { break }
            nextLook = now + 1_000
            ending =
                (try? CommandRun(listCommand, folder: folder, at: now)).map { .looking($0) }
                ?? .done
        case .looking(let command):
            guard let result = command.poll(at: now) else { break }
            let jobs = SlurmJob.parse(result.output) ?? []
            if result.isSuccess, !jobs.contains(where: \.isActive) {
                ending = .done
            } else if now - endBegan >= Self.patienceMs {
                ending = start([], at: now).map { .cancelling($0) } ?? .done
            } else {
                ending = .waiting
            }
        case .cancelling(let command):
            if command.poll(at: now) != nil { ending = .done }
        case .done: break
        }
        if case .done = ending { return true }
        return false
    }

    private func start(_ options: [String], at now: Int64) -> CommandRun? {
        try? CommandRun(
            Command(["scancel", "--name=\(script.jobName)"] + options), folder: folder, at: now)
    }

    /// What would be run, for people to read.
    public static func dryRun(_ group: SlurmGroup, index: Int, _ sweep: LaunchedSweep) -> String {
        let script = SlurmScript(sweep: sweep, group: group, index: index)
        let text = script.text(key: group.isShared ? nil : "(the client's certificate)")
        return
            "# up to \(group.jobLimit) jobs, as many as trials wait\n"
            + "sbatch --parsable --array=0-N <<'END'\n\(text)END\n\n"
    }
}
