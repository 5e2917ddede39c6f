import ChildProcess
import SweepModel

/// What is to be done next about a machine's worker.
enum SSHStep: Hashable {
    case prepare
    case copyProgram(to: String)
    case copyKey(to: String)
    case start(worker: String)
    case check
}

/// The life of a worker on another machine, seen from here: which step comes next, and what the
/// result of the last one means. Runs nothing and reads no clock.
struct SSHWorker {
    static let checkIntervalMs: Int64 = 10_000
    static let firstDelayMs: Int64 = 2_000
    static let longestDelayMs: Int64 = 300_000
    /// A worker that lived so long did not fail at once.
    private static let longLifeMs: Int64 = 60_000

    private enum Phase: Hashable {
        case step(SSHStep)
        /// The worker is at work.
        case watching
        /// Something that no second try would mend.
        case givenUp
    }

    let label: String
    /// Of the coordinator's machine, as `uname -m` says it; a copied program must run there.
    let machine: String
    let copiesProgram: Bool
    let copiesKey: Bool
    private let makeIdentifier: () -> String
    private var phase = Phase.step(.prepare)
    private var nextStep: Int64 = 0
    private var delayMs = firstDelayMs
    private var startTime: Int64 = 0
    private var remoteFolder = ""
    private var needsProgram = false
    /// The worker that is, or was last, at work there.
    private(set) var worker: String?
    private var isConnected = true
    private var lastWarning: String?

    init(
        label: String, machine: String, copiesProgram: Bool, copiesKey: Bool,
        makeIdentifier: @escaping () -> String
    ) {
        self.label = label
        self.machine = machine
        self.copiesProgram = copiesProgram
        self.copiesKey = copiesKey
        self.makeIdentifier = makeIdentifier
    }

    /// The step whose time has come.
    func step(at now: Int64) -> SSHStep? {
        guard now >= nextStep else { return nil }
        return switch phase {
        case .step(let step): step
        case .watching: .check
        case .givenUp: nil
        }
    }

    mutating func finished(
        _ step: SSHStep, _ result: CommandResult, at now: Int64
    ) -> [LauncherNotice] {
        var notices: [LauncherNotice] = []
        guard result.status != SSHCommands.connectionFailure, result.status != nil else {
            return loseTouch(step, result, at: now)
        }
        if !isConnected {
            isConnected = true
            notices.append(.said("\(label): reached again"))
        }
        guard result.isSuccess else {
            return notices + retry("\(label): \(result.lastLine)", at: now)
        }
        switch step {
        case .prepare: notices += prepared(result, at: now)
        case .copyProgram:
            needsProgram = false
            phase = .step(copiesKey ? .copyKey(to: keyPath) : .start(worker: makeIdentifier()))
        case .copyKey: phase = .step(.start(worker: makeIdentifier()))
        case .start: notices += started(result, at: now)
        case .check: notices += checked(result, at: now)
        }
        return notices
    }

    private var keyPath: String { remoteFolder + "/client.cert.part" }

    /// The worker goes on without a connection of ours, so nothing is said of it but that.
    private mutating func loseTouch(
        _ step: SSHStep, _ result: CommandResult, at now: Int64
    ) -> [LauncherNotice] {
        let delay = delayMs
        delayMs = min(delayMs * 2, Self.longestDelayMs)
        nextStep = now + delay
        let message =
            step == .check
            ? "\(label): not reached by ssh (\(result.lastLine)); its worker goes on without it"
            : "\(label): not reached by ssh (\(result.lastLine))"
        isConnected = false
        return warn(message, hint: "trying again; `ssh \(label)` by hand shows more")
    }

    private mutating func prepared(_ result: CommandResult, at now: Int64) -> [LauncherNotice] {
        remoteFolder = result.values("folder").first ?? ""
        if let found = result.values("alive").first {
            let words = found.split(separator: " ")
            worker = words.first.map(String.init)
            watch(at: now)
            return [.said("\(label): found its worker at work")]
        }
        let there = result.values("machine").first ?? "unknown"
        if copiesProgram, there != machine {
            phase = .givenUp
            return [
                .warned(
                    "\(label): the machine is \(there), and this program is made for \(machine)",
                    hint: "install alsweep there and write binary: /its/path in the cluster file")
            ]
        }
        needsProgram = copiesProgram && result.values("program").isEmpty
        phase = .step(
            needsProgram
                ? .copyProgram(to: remoteFolder + "/program.part")
                : copiesKey ? .copyKey(to: keyPath) : .start(worker: makeIdentifier()))
        return needsProgram ? [.said("\(label): copying the program")] : []
    }

    private mutating func started(_ result: CommandResult, at now: Int64) -> [LauncherNotice] {
        if let program = result.values("missing").first {
            return retry(
                "\(label): there is no program '\(program)'",
                hint: "install alsweep there, or write binary: copy in the cluster file", at: now)
        }
        guard let words = result.values("alive").first?.split(separator: " "), words.count == 2
        else { return retry("\(label): \(result.lastLine)", at: now) }
        worker = String(words[0])
        startTime = now
        watch(at: now)
        // A worker that cannot start at all has ended by then.
        nextStep = now + Self.firstDelayMs
        return [.said("\(label): started a worker (process \(words[1]))")]
    }

    private mutating func checked(_ result: CommandResult, at now: Int64) -> [LauncherNotice] {
        if result.values("alive").first != nil {
            watch(at: now)
            return []
        }
        if now - startTime > Self.longLifeMs { delayMs = Self.firstDelayMs }
        let died: [LauncherNotice] =
            worker.map { [.workerDied(WorkerID($0), fault: nil)] } ?? []
        worker = nil
        return died
            + retry("\(label): its worker has ended (\(result.lastLine))", at: now)
    }

    private mutating func watch(at now: Int64) {
        phase = .watching
        nextStep = now + Self.checkIntervalMs
        if now - startTime > Self.longLifeMs { delayMs = Self.firstDelayMs }
        lastWarning = nil
    }

    private mutating func retry(
        _ message: String, hint: String? = nil, at now: Int64
    ) -> [LauncherNotice] {
        phase = .step(.prepare)
        nextStep = now + delayMs
        let text = "\(message); trying again in \(delayMs / 1_000) s"
        delayMs = min(delayMs * 2, Self.longestDelayMs)
        return warn(message, text, hint: hint)
    }

    /// The same is said once.
    private mutating func warn(
        _ message: String, _ text: String? = nil, hint: String? = nil
    ) -> [LauncherNotice] {
        guard message != lastWarning else { return [] }
        lastWarning = message
        return [.warned(text ?? message, hint: hint)]
    }
}
