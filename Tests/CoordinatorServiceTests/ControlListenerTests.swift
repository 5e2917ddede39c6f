import Foundation
import SweepModel
import Testing
import Transport
import Wire

@testable import CoordinatorService

/// A control socket with nobody's run behind it, and a peer of it.
private final class Control {
    let context: Context
    let authenticator: Authenticator
    let folder: RunFolder
    let listener: ControlListener

    init(_ path: String) throws {
        context = try Context()
        authenticator = try Authenticator(context: context)
        folder = RunFolder(path)
        listener = try ControlListener(
            context: context, authenticator: authenticator, folder: folder, serverKeys: nil,
            endpoint: nil)
    }

    /// Sends a message from a peer and collects what arrives, until the peer has its answer or its
    /// handshake has failed.
    func exchange(
        _ message: Message, as security: DealerSecurity
    ) throws -> (arrivals: [ControlListener.Arrival], answer: Message?, isShutOut: Bool) {
        let socket = try DealerSocket(context: context, security: security)
        let monitor = try socket.monitor()
        try socket.connect(to: listener.endpoint)
        let header = Header(run: "", epoch: 0, worker: WorkerID(""), messageNumber: 1)
        let frames = FrameMessage(
            type: message.type.rawValue, header: header.bytes(), body: message.body())
        var loop = PollLoop()
        _ = loop.watch(socket)
        _ = loop.watch(listener.socket)
        _ = loop.watch(authenticator)
        var arrivals: [ControlListener.Arrival] = []
        var isSent = false
        let deadline = Date(timeIntervalSinceNow: 20)
        while Date() < deadline {
            if !isSent, socket.send(frames) == .sent { isSent = true }
            _ = try loop.wait(timeoutMs: 20)
            _ = authenticator.answerRequests()
            for arrival in listener.receive() {
                arrivals.append(arrival)
                switch arrival {
                case .command(_, let number):
                    let answer = CommandAnswer(isDone: true, text: "so be it")
                    listener.answer(.commandAnswered(answer), to: number)
                case .workersAsked(let number):
                    listener.answer(.workersTold(WorkersTold(count: 0, workers: [])), to: number)
                case .refused: return (arrivals, nil, false)
                }
            }
            if case .message(let frames) = socket.receive() {
                return (arrivals, try Message(type: frames.type, body: frames.body), false)
            }
            while let event = monitor.next() {
                if case .handshakeFailed = event { return (arrivals, nil, true) }
            }
        }
        return (arrivals, nil, false)
    }
}

@Test("the run's owner commands with the certificate in its folder, which is for the owner only")
func ownerCommands() throws {
    let folder = try TemporaryFolder()
    let control = try Control(folder.path)
    let path = control.folder.controlCertificate
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let certificate = try ClientCertificate(path: path)
    let (arrivals, answer, _) = try control.exchange(
        .command(.cancel(.named([TrialID("t")]))), as: .curve(certificate))
    guard case .command(.cancel(.named([TrialID("t")])), _) = arrivals.first else {
        Issue.record("\(arrivals)")
        return
    }
    #expect(answer == .commandAnswered(CommandAnswer(isDone: true, text: "so be it")))
    #expect(
        try control.exchange(.workersAsked, as: .curve(certificate)).answer
            == .workersTold(WorkersTold(count: 0, workers: [])))
}

@Test("without a key, with an unknown one, a worker's or a revoked one no command gets in")
func strangersAreShutOut() throws {
    let folder = try TemporaryFolder()
    let control = try Control(folder.path)
    let server = try ClientCertificate(path: control.folder.controlCertificate).serverKey
    let worker = ClientCertificate(keys: try .generate(), serverKey: server)
    control.authenticator.allow(worker.keys.publicKey, in: .worker)
    let revoked = ClientCertificate(keys: try .generate(), serverKey: server)
    control.authenticator.allow(revoked.keys.publicKey, in: .control)
    control.authenticator.revoke(revoked.keys.publicKey, in: .control)
    let unknown = ClientCertificate(keys: try .generate(), serverKey: server)
    for certificate in [worker, revoked, unknown] {
        let result = try control.exchange(.command(.cancel(.all)), as: .curve(certificate))
        #expect(result.arrivals.isEmpty && result.answer == nil && result.isShutOut)
    }
    let plain = try control.exchange(.command(.cancel(.all)), as: .plain)
    #expect(plain.arrivals.isEmpty && plain.answer == nil)
}

@Test("what is no command is refused, and never reaches the coordinator")
func onlyCommands() throws {
    let folder = try TemporaryFolder()
    let control = try Control(folder.path)
    let certificate = try ClientCertificate(path: control.folder.controlCertificate)
    let result = try control.exchange(.goodbye(Goodbye()), as: .curve(certificate))
    guard case .refused(_, let reason) = result.arrivals.first else {
        Issue.record("\(result.arrivals)")
        return
    }
    #expect(reason.contains("goodbye"))
}
