import ActiveLearning
import Agent
import ArgumentParser
import Foundation
import SweepModel
import Synchronization
import WorkerService

/// One trial for an agent: its task comes on standard input, what it finds goes to standard output.
struct TrialCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trial", abstract: "Run one trial for a worker.", shouldDisplay: false)

    func run() throws {
        guard let line = readLine(),
            let task = try? JSONDecoder().decode(ChildTask.self, from: Data(line.utf8))
        else {
            throw CommandFailure(
                "standard input holds no task", hint: "workers start this; you want `experiment`",
                status: ExitStatusCode.usage)
        }
        endWithAgent()
        let run = TrialRun(
            configuration: task.configuration, dataFolder: task.dataFolder,
            checkpointPath: task.checkpointPath, modelPath: task.modelPath,
            classifierFolder: task.classifierFolder, logsEpochs: true)
        do {
            let digest = try run.run(
                onCycle: { say(.cycle($0)) },
                onEpoch: { say(.progress(cycle: $0.cycle, epoch: $0.epoch)) },
                shouldStop: {
                    tellOfWork()
                    return StopFlag.isRaised
                })
            say(.finished(modelDigest: digest!))
            // Without the orderly end, whose flush of all files would wait for the thread that reads
            // standard input.
            _exit(ExitStatusCode.done)
        } catch .stopped {
            throw ExitCode(ExitStatusCode.stopped)
        } catch .user(let error) {
            try fail(.user, error)
        } catch .disk(let error) {
            try fail(.disk, error)
        } catch .data(let error) {
            try fail(.data, error)
        } catch .gpuMemory(let error) {
            try fail(.outOfGPUMemory, error)
        } catch .other(let error) {
            try fail(.crash, error)
        }
    }

    /// Asked before every batch, so that its agent can tell a long epoch from a process that hangs.
    private func tellOfWork() {
        let now = ContinuousClock.now
        guard now - LastLine.instant >= .seconds(5) else { return }
        say(.working)
    }

    private func fail(_ kind: FailureKind, _ error: any Error) throws {
        say(.failed(kind: kind, message: explanation(error)))
        throw ExitCode(ExitStatusCode.failed)
    }

    private func explanation(_ error: any Error) -> String {
        let failure = CommandFailure(explaining: error)
        return failure.message + (failure.hint.map { "; \($0)" } ?? "")
    }

    private func say(_ line: ChildLine) {
        LastLine.instant = ContinuousClock.now
        // A pipe without a reader: the agent is gone, and with it whom this is for.
        guard writeBytes(line.encoded() + "\n", to: STDOUT_FILENO) else {
            _exit(ExitStatusCode.stopped)
        }
    }

    /// The end of standard input means that the agent is gone: nobody would hear the results, and
    /// the next attempt takes up the checkpoint.
    private func endWithAgent() {
        StopFlag.raiseOnTermination()
        Thread.detachNewThread {
            while readLine() != nil {}
            _exit(ExitStatusCode.stopped)
        }
    }
}

/// When the process last said something. Only the experiment's thread speaks.
private enum LastLine {
    nonisolated(unsafe) static var instant = ContinuousClock.now
}

/// Raised by SIGTERM or SIGINT; asked between batches.
enum StopFlag {
    private static let flag = Atomic<Bool>(false)

    static var isRaised: Bool { flag.load(ordering: .relaxed) }

    static func raiseOnTermination() {
        // Touched here first, so that the handler finds it made.
        flag.store(false, ordering: .relaxed)
        for number in [SIGTERM, SIGINT] {
            signal(number) { _ in
                if StopFlag.isRaised { _exit(ExitStatusCode.stopped) }
                StopFlag.flag.store(true, ordering: .relaxed)
            }
        }
    }
}
