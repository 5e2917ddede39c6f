import Foundation
import Journal
import SweepModel
import Transport
import Wire

/// Has a command done: by the coordinator that is at work on the run, or, where there is none, in the
/// journal itself.
struct RunControl {
    /// The coordinator gets so long to answer.
    private static let answerDelay = 15.0
    /// A question changes nothing: not to have an answer is no failure.
    private static let questionDelay = 3.0
    private static let pollIntervalMs = 100

    let folder: RunFolder

    /// - Returns: what was done, and whether a coordinator did it.
    func perform(_ command: RunCommand) throws -> (text: String, isLive: Bool) {
        do {
            let lock = try RunLock(path: folder.lock, folder: folder.path)
            return (try withExtendedLifetime(lock) { try performOffline(command) }, false)
        } catch RunInUse.held {
            // A coordinator has the run in its hands.
        }
        let answer = try Self.ask(
            command, at: try liveEndpoint(),
            certificate: try ClientCertificate(path: folder.controlCertificate))
        return (try Self.text(of: answer), true)
    }

    /// Asks a coordinator elsewhere.
    static func perform(
        _ command: RunCommand, at endpoint: Endpoint, certificatePath: String
    ) throws -> String {
        try text(
            of: try ask(
                command, at: endpoint, certificate: try ClientCertificate(path: certificatePath)))
    }

    private func performOffline(_ command: RunCommand) throws -> String {
        let history = try RunReading(folder).history
        let records = try command.records(in: history)
        try Journal.write(at: folder.journal).append(records, at: Date())
        return command.summary(of: records)
    }

    private func liveEndpoint() throws -> Endpoint {
        guard let text = try? String(contentsOfFile: folder.controlEndpoint, encoding: .utf8) else {
            throw CommandFailure(
                "the run \(folder.path) is in use by a program that takes no commands",
                hint: "stop it with Ctrl-C, and give the command again")
        }
        return try Endpoint(text.trimmingCharacters(in: .whitespacesAndNewlines)).reachedLocally
    }

    private static func text(of answer: CommandAnswer) throws -> String {
        guard answer.isDone else { throw CommandFailure(answer.text, hint: answer.hint) }
        return answer.text
    }

    /// The workers that are connected to the coordinator at work on the run.
    ///
    /// - Returns: nil if none is at work, or it takes no questions from this user.
    func workers() -> WorkersTold? {
        guard let endpoint = try? liveEndpoint(),
            let certificate = try? ClientCertificate(path: folder.controlCertificate),
            case .told(.workersTold(let told)) = try? Self.exchange(
                .workersAsked, at: endpoint, certificate: certificate, delay: Self.questionDelay,
                waitsForListener: false)
        else { return nil }
        return told
    }

    private static func ask(
        _ command: RunCommand, at endpoint: Endpoint, certificate: ClientCertificate
    ) throws -> CommandAnswer {
        let message = Message.command(command)
        let end = try exchange(
            message, at: endpoint, certificate: certificate, delay: answerDelay,
            waitsForListener: true)
        if case .told(.commandAnswered(let answer)) = end { return answer }
        let isSent = if case .silent(isSent: true) = end { true } else { false }
        throw CommandFailure(
            "the coordinator at \(endpoint) did not answer"
                + (isSent ? "; the command may have been carried out" : ""),
            hint: "give the command on the coordinator's machine, and look at `alsweep status`")
    }

    private enum Exchange {
        case told(Message)
        case silent(isSent: Bool)
    }

    /// Sends a message and waits for one answer.
    ///
    /// - Parameter waitsForListener: whether somebody may begin to listen there meanwhile.
    private static func exchange(
        _ message: Message, at endpoint: Endpoint, certificate: ClientCertificate, delay: Double,
        waitsForListener: Bool
    ) throws -> Exchange {
        let socket = try DealerSocket(context: try Context(), security: .curve(certificate))
        let monitor = try socket.monitor()
        try socket.connect(to: endpoint)
        var loop = PollLoop()
        let watch = loop.watch(socket)
        let header = Header(run: "", epoch: 0, worker: WorkerID(""), messageNumber: 1)
        let frames = FrameMessage(
            type: message.type.rawValue, header: header.bytes(), body: message.body())
        let deadline = Date(timeIntervalSinceNow: delay)
        var isSent = false
        while Date() < deadline {
            if !isSent {
                switch socket.send(frames) {
                case .sent: isSent = true
                case .full: break
                case .oversized(let byteCount, let limit):
                    throw CommandFailure(
                        "the command has \(byteCount) bytes, more than the \(limit) of a message",
                        hint: "name fewer trials at a time")
                }
            }
            if try loop.wait(timeoutMs: pollIntervalMs).contains(watch),
                case .message(let frames) = socket.receive()
            {
                return .told(try Message(type: frames.type, body: frames.body))
            }
            while let event = monitor.next() {
                if case .retried = event, !waitsForListener { return .silent(isSent: isSent) }
                guard case .handshakeFailed(_, let failure) = event, failure.isFinal else {
                    continue
                }
                throw CommandFailure(
                    "the coordinator at \(endpoint) does not take commands with this key: \(failure)",
                    hint:
                        "a worker's key commands nothing; `alsweep keys new --role client` makes one "
                        + "that does")
            }
        }
        return .silent(isSent: isSent)
    }
}
