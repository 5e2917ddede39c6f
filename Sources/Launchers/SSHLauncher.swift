import ChildProcess
import Foundation
import SweepModel

/// Starts workers on other machines by ssh, starts them again when they end before their time, and
/// ends them after the sweep.
public final class SSHLauncher: Launcher {
    /// So many machines are talked to at the same time.
    private static let maximumRuns = 16
    private static let stopTimeoutMs: Int64 = 20_000

    private struct Machine {
        let scripts: SSHScripts
        let commands: SSHCommands
        var worker: SSHWorker
        var run: (step: SSHStep, command: CommandRun)?
        var ending = Ending.none
    }

    private enum Ending {
        case none
        case stopping(CommandRun)
        case closing(CommandRun)
        case done
    }

    private let sweep: LaunchedSweep
    private let folder: String
    private let program: String
    /// SHA-256 of this program in hex, where it is copied.
    private let digest: String?
    private var machines: [Machine]

    /// - Parameters:
    ///   - machine: what this machine is, as `uname -m` says.
    ///   - digest: SHA-256 of this program in hex; needed where a group copies it.
    /// - Throws: where no folder for the connections can be made.
    public init(
        _ groups: [SSHGroup], _ sweep: LaunchedSweep, machine: String, digest: String?
    ) throws {
        self.sweep = sweep
        self.digest = digest
        program = ChildProcess.ownProgram()
        folder = try Self.makeFolder(sweep)
        let folder = folder
        machines = groups.flatMap { group in
            group.hosts.map { host in
                let copies = group.setup.program == .copied
                return Machine(
                    scripts: SSHScripts(sweep: sweep, setup: group.setup, host: host),
                    commands: SSHCommands(
                        host: host, configPath: group.configPath, folder: folder),
                    worker: SSHWorker(
                        label: host.label, machine: machine, copiesProgram: copies,
                        copiesKey: sweep.certificatePath != nil,
                        makeIdentifier: { UUID().uuidString.lowercased() }))
            }
        }
    }

    /// For the connections' sockets, whose paths have to be short: a folder of this user and run that only this user can read. The next coordinator of the run
    /// takes it up again.
    private static func makeFolder(_ sweep: LaunchedSweep) throws -> String {
        let path = "/tmp/alsweep-ssh-\(getuid())-\(shortHash(of: sweep.folder.path))"
        var status = stat()
        guard mkdir(path, 0o700) == 0 || errno == EEXIST, lstat(path, &status) == 0,
            status.st_mode == S_IFDIR | 0o700, status.st_uid == getuid()
        else { throw LauncherError.unusableFolder(path) }
        return path
    }

    public func step(_ situation: SweepSituation, at now: Int64) -> [LauncherNotice] {
        var notices: [LauncherNotice] = []
        for index in machines.indices {
            if let run = machines[index].run, let result = run.command.poll(at: now) {
                machines[index].run = nil
                notices += machines[index].worker.finished(run.step, result, at: now)
            }
        }
        var count = machines.count { $0.run != nil }
        for index in machines.indices where machines[index].run == nil {
            guard count < Self.maximumRuns, let step = machines[index].worker.step(at: now) else {
                continue
            }
            do {
                let command = self.command(step, machines[index])
                machines[index].run = (step, try CommandRun(command, folder: folder, at: now))
                count += 1
            } catch {
                let result = CommandResult(status: nil, output: "\(error)")
                notices += machines[index].worker.finished(step, result, at: now)
            }
        }
        return notices
    }

    private func command(_ step: SSHStep, _ machine: Machine) -> Command {
        let digest = machine.worker.copiesProgram ? digest : nil
        return switch step {
        case .prepare: machine.commands.run(machine.scripts.preparation(digest: digest))
        case .copyProgram(let path): machine.commands.copy(program, to: path)
        case .copyKey(let path): machine.commands.copy(sweep.certificatePath!, to: path)
        case .start(let worker):
            machine.commands.run(machine.scripts.start(worker: worker, digest: digest))
        case .check: machine.commands.run(machine.scripts.check())
        }
    }

    public func end(at now: Int64) -> Bool {
        for index in machines.indices {
            // What is under way may start a worker: it is waited for.
            if let run = machines[index].run {
                guard run.command.poll(at: now) != nil else { continue }
                machines[index].run = nil
            }
            let commands = machines[index].commands
            switch machines[index].ending {
            case .none:
                let stop = commands.run(
                    machines[index].scripts.stop(), timeoutMs: Self.stopTimeoutMs)
                machines[index].ending =
                    (try? CommandRun(stop, folder: folder, at: now)).map { .stopping($0) } ?? .done
            case .stopping(let run):
                guard run.poll(at: now) != nil else { continue }
                machines[index].ending =
                    (try? CommandRun(commands.close, folder: folder, at: now))
                    .map { .closing($0) } ?? .done
            case .closing(let run):
                if run.poll(at: now) != nil { machines[index].ending = .done }
            case .done: break
            }
        }
        let isDone = machines.allSatisfy { if case .done = $0.ending { true } else { false } }
        if isDone { try? FileManager.default.removeItem(atPath: folder) }
        return isDone
    }

    /// What would be run, for people to read: the script that starts each machine's worker.
    public static func dryRun(
        _ groups: [SSHGroup], _ sweep: LaunchedSweep, digest: String?
    ) -> String {
        var text = ""
        for group in groups {
            for host in group.hosts {
                let scripts = SSHScripts(sweep: sweep, setup: group.setup, host: host)
                let commands = SSHCommands(
                    host: host, configPath: group.configPath, folder: "/tmp/alsweep-ssh")
                let copies = group.setup.program == .copied
                text += "# \(host.label)\n"
                if copies {
                    text +=
                        shellLine(commands.copy("alsweep", to: "FOLDER/program.part").words)
                        + "\n"
                }
                if let key = sweep.certificatePath {
                    text +=
                        shellLine(commands.copy(key, to: "FOLDER/client.cert.part").words)
                        + "\n"
                }
                let start = scripts.start(worker: "WORKER", digest: copies ? digest : nil)
                text += shellLine(commands.run(start).words) + " <<'END'\n\(start)END\n\n"
            }
        }
        return text
    }
}
