import Transport

/// A socket like a coordinator's, at which machines try the handshake that their workers will make.
/// Its keys are made for one examination; nothing that is said to it is heard.
final class HandshakeListener {
    private let socket: RouterSocket
    private let authenticator: Authenticator
    private let context: Context
    /// Where it listens, with the port that the system chose.
    let endpoint: Endpoint
    /// Lets its holder in.
    let certificate: ClientCertificate

    init(at endpoint: Endpoint) throws(TransportError) {
        let context = try Context()
        let authenticator = try Authenticator(context: context)
        let server = try KeyPair.generate()
        let client = try KeyPair.generate()
        authenticator.allow(client.publicKey, in: .worker)
        let socket = try RouterSocket(
            context: context, security: .curve(server.secretKey, authenticator, .worker))
        self.endpoint = try socket.bind(to: endpoint)
        self.socket = socket
        self.authenticator = authenticator
        self.context = context
        certificate = ClientCertificate(keys: client, serverKey: server.publicKey)
    }

    /// Answers who came since.
    func answer() {
        _ = authenticator.answerRequests()
        while socket.receive() != nil {}
    }
}

/// Whether this machine's workers would be let in where a `HandshakeListener` waits.
func handshake(with endpoint: Endpoint, _ certificate: ClientCertificate) throws -> Bool {
    let context = try Context()
    let socket = try DealerSocket(context: context, security: .curve(certificate))
    let monitor = try socket.monitor()
    var loop = PollLoop()
    _ = loop.watch(monitor)
    try socket.connect(to: endpoint)
    let deadline = monotonicMilliseconds() + 10_000
    while monotonicMilliseconds() < deadline {
        _ = try loop.wait(timeoutMs: 200)
        while let event = monitor.next() {
            switch event {
            case .handshakeSucceeded: return true
            case .handshakeFailed(_, let failure) where failure.isFinal: return false
            default: break
            }
        }
    }
    return false
}
