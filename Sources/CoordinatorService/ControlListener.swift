import Foundation
import SweepModel
import Transport
import Wire

/// Where a coordinator takes its user's commands: a socket of its own, always with keys, also on this
/// machine. A worker's key does not open it.
final class ControlListener {
    enum Arrival {
        case command(RunCommand, number: UInt64)
        case workersAsked(number: UInt64)
        case refused(address: String, reason: String)
    }

    /// Taken at a time; what comes beyond waits for the next turn of the loop.
    private static let receiveLimit = 16
    /// Commands whose answer is not decided yet.
    private static let openLimit = 64
    /// The last answer gets so long to leave.
    private static let lingerMs = 2_000

    let socket: RouterSocket
    let endpoint: Endpoint
    private var routes: [UInt64: PeerRoute] = [:]
    private var lastNumber: UInt64 = 0

    /// Listens, and writes endpoint and certificate into the run's folder, for its owner only.
    ///
    /// - Parameters:
    ///   - serverKeys: those that clients elsewhere know; nil makes new ones.
    ///   - endpoint: nil is any free port of the loopback interface.
    init(
        context: borrowing Context, authenticator: Authenticator, folder: RunFolder,
        serverKeys: KeyPair?, endpoint: Endpoint?
    ) throws {
        let server = try serverKeys ?? KeyPair.generate()
        let owner = try KeyPair.generate()
        authenticator.allow(owner.publicKey, in: .control)
        var options = SocketOptions.router
        options.lingerMs = Self.lingerMs
        socket = try RouterSocket(
            context: context, security: .curve(server.secretKey, authenticator, .control),
            options: options)
        self.endpoint = try socket.bind(to: endpoint ?? .tcp(host: "127.0.0.1", port: 0))
        try ClientCertificate(keys: owner, serverKey: server.publicKey)
            .write(to: folder.controlCertificate, replacing: true)
        try (self.endpoint.description + "\n").write(
            toFile: folder.controlEndpoint, atomically: true, encoding: .utf8)
    }

    func receive() -> [Arrival] {
        var arrivals: [Arrival] = []
        while arrivals.count < Self.receiveLimit, let arrival = socket.receive() {
            switch arrival {
            case .message(let peer, let frames): arrivals.append(read(frames, from: peer))
            case .malformed(let peer, let error):
                arrivals.append(refused(peer, error.description))
            case .refused(let peer): arrivals.append(refused(peer, "its key was revoked"))
            }
        }
        return arrivals
    }

    /// Answers the command, or the question, of that number.
    func answer(_ message: Message, to number: UInt64) {
        guard let route = routes.removeValue(forKey: number) else { return }
        let header = Header(run: "", epoch: 0, worker: WorkerID(""), messageNumber: number)
        _ = socket.send(
            FrameMessage(
                type: message.type.rawValue, header: header.bytes(), body: message.body()),
            to: route)
    }

    private func read(_ frames: FrameMessage, from peer: Peer) -> Arrival {
        do {
            let message = try Message(type: frames.type, body: frames.body)
            let number = lastNumber + 1
            let arrival: Arrival
            switch message {
            case .command(let command): arrival = .command(command, number: number)
            case .workersAsked: arrival = .workersAsked(number: number)
            default: return refused(peer, "a user does not send '\(message.type)'")
            }
            guard routes.count < Self.openLimit else { return refused(peer, "too many commands") }
            lastNumber = number
            routes[number] = peer.route
            return arrival
        } catch {
            return refused(peer, error.description)
        }
    }

    private func refused(_ peer: Peer, _ reason: String) -> Arrival {
        .refused(address: peer.address ?? "?", reason: reason)
    }
}
