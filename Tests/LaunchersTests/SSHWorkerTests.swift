import ChildProcess
import SweepModel
import Testing

@testable import Launchers

/// The life of a worker on another machine, step by step, without ssh.
@Suite struct SSHWorkerTests {
    private func worker(copiesProgram: Bool = false, copiesKey: Bool = false) -> SSHWorker {
        SSHWorker(
            label: "node1", machine: "x86_64", copiesProgram: copiesProgram, copiesKey: copiesKey,
            makeIdentifier: { "w1" })
    }

    private func ok(_ output: String) -> CommandResult { CommandResult(status: 0, output: output) }

    private let bare = "alsweep:folder /f\nalsweep:machine x86_64\nalsweep:gone none\n"

    @Test("program and key are copied before the worker is started, and it is then watched")
    func start() {
        var worker = worker(copiesProgram: true, copiesKey: true)
        #expect(worker.step(at: 0) == .prepare)
        _ = worker.finished(.prepare, ok(bare), at: 0)
        #expect(worker.step(at: 0) == .copyProgram(to: "/f/program.part"))
        _ = worker.finished(.copyProgram(to: ""), ok(""), at: 0)
        #expect(worker.step(at: 0) == .copyKey(to: "/f/client.cert.part"))
        _ = worker.finished(.copyKey(to: ""), ok(""), at: 0)
        #expect(worker.step(at: 0) == .start(worker: "w1"))
        let notices = worker.finished(.start(worker: "w1"), ok("alsweep:alive w1 77\n"), at: 0)
        #expect(notices == [.said("node1: started a worker (process 77)")])
        #expect(worker.step(at: 0) == nil)
        #expect(worker.step(at: SSHWorker.checkIntervalMs) == .check)
    }

    @Test("a worker that is at work there is adopted, and not started again")
    func adoption() {
        var worker = worker(copiesProgram: true)
        _ = worker.finished(
            .prepare, ok("alsweep:folder /f\nalsweep:machine x86_64\nalsweep:alive w0 5\n"), at: 0)
        #expect(worker.worker == "w0")
        #expect(worker.step(at: SSHWorker.checkIntervalMs) == .check)
    }

    @Test("a lost connection costs the worker nothing; its end does")
    func lostConnection() {
        var worker = worker()
        _ = worker.finished(.prepare, ok(bare), at: 0)
        _ = worker.finished(.start(worker: "w1"), ok("alsweep:alive w1 77"), at: 0)
        let lost = worker.finished(
            .check, CommandResult(status: 255, output: "No route to host\n"), at: 10_000)
        guard case .warned(let text, _) = lost.first else {
            Issue.record("\(lost)")
            return
        }
        #expect(text.contains("No route to host") && text.contains("goes on"))
        // The same is not said twice, and each try comes later.
        #expect(
            worker.finished(
                .check, CommandResult(status: 255, output: "No route to host\n"), at: 20_000) == [])
        #expect(worker.step(at: 23_000) == nil)
        #expect(worker.step(at: 24_000) == .check)
        #expect(
            worker.finished(.check, ok("alsweep:alive w1 77"), at: 30_000)
                == [.said("node1: reached again")])
        let ended = worker.finished(
            .check, ok("alsweep:gone w1\nerror: out of coffee\n"), at: 40_000)
        #expect(ended.first == .workerDied(WorkerID("w1"), fault: nil))
        #expect("\(ended)".contains("out of coffee"))
        #expect(worker.step(at: 1_000_000) == .prepare)
    }

    @Test("what fails again and again is tried more and more rarely")
    func backOff() {
        var worker = worker()
        var now: Int64 = 0
        var pauses: [Int64] = []
        for _ in 0..<12 {
            _ = worker.finished(.prepare, CommandResult(status: 1, output: "no space"), at: now)
            var pause: Int64 = 0
            while worker.step(at: now + pause) == nil { pause += 1_000 }
            pauses.append(pause)
            now += pause
        }
        #expect(pauses.prefix(4) == [2_000, 4_000, 8_000, 16_000])
        #expect(pauses.last == SSHWorker.longestDelayMs)
    }

    @Test("a program is not copied to a machine of another kind")
    func otherArchitecture() {
        var worker = worker(copiesProgram: true)
        let notices = worker.finished(
            .prepare, ok("alsweep:folder /f\nalsweep:machine aarch64\nalsweep:gone none\n"), at: 0)
        #expect("\(notices)".contains("aarch64"))
        #expect(worker.step(at: .max) == nil)
    }

    @Test("a missing program is told with the remedy")
    func missingProgram() {
        var worker = worker()
        _ = worker.finished(.prepare, ok(bare), at: 0)
        let notices = worker.finished(.start(worker: "w1"), ok("alsweep:missing alsweep"), at: 0)
        #expect("\(notices)".contains("binary: copy"))
    }

    @Test("texts reach a shell as they are")
    func quoting() {
        #expect(shellWord("a b") == "'a b'" && shellWord("it's") == #"'it'\''s'"#)
        #expect(shellWord("") == "''" && shellWord("$HOME") == "'$HOME'")
        #expect(
            shellWord("tcp://head:5555") == "tcp://head:5555"
                && shellWord("tcp://*:1") == "'tcp://*:1'")
        #expect(shellPath("~/a b") == "\"$HOME\"/'a b'" && shellPath("/data") == "/data")
    }
}
