import Foundation
import Testing
import Wire

@testable import Transport

@Suite("Endpoints")
struct EndpointTests {
    @Test(
        "an address is read and written alike",
        arguments: [
            "tcp://head:5555", "tcp://*:5555", "tcp://127.0.0.1:*", "tcp://[fe80::1]:65535",
            "ipc:///run/alsweep.sock", "ipc://@abstract",
        ])
    func readAndWritten(text: String) throws {
        #expect(try Endpoint(text).description == text)
    }

    @Test(
        "IPv4 inside IPv6 and a trailing slash are tidied away",
        arguments: [
            ("tcp://[::ffff:10.0.0.7]:5555", "tcp://10.0.0.7:5555"),
            ("tcp://head:5555/", "tcp://head:5555"),
        ])
    func tidied(text: String, expected: String) throws {
        #expect(try Endpoint(text).description == expected)
    }

    @Test(
        "a wrong address says what is wrong and what to write",
        arguments: [
            ("head:5555", "begin with tcp://", "write tcp://head:5555"),
            ("head", "begin with tcp://", "write tcp://head:5555"),
            ("tcp:/head", "begin with tcp://", "write tcp://head:5555"),
            ("http://head:8080/x", "only tcp:// and ipc://", "write tcp://head:8080"),
            ("tpc://head:5555", "only tcp:// and ipc://", "write tcp://head:5555"),
            ("tcp://head", "no port", "write tcp://head:5555"),
            ("tcp://[::1]", "no port", "write tcp://[::1]:5555"),
            ("tcp://head:70000", "'70000' is not a port", "5555"),
            ("tcp://head:0", "'0' is not a port", "5555"),
            ("tcp://head:http", "'http' is not a port", "5555"),
            ("tcp://fe80::1:5555", "needs brackets", "write tcp://[fe80::1]:5555"),
            ("tcp://[fe80::1:5555", "] is missing", "tcp://head:5555"),
            ("tcp://:5555", "'' is not a host", "tcp://head:5555"),
            ("tcp://my head:5555", "'my head' is not a host", "tcp://head:5555"),
            ("tcp://10.0.0.1;head:5555", "is not a host", "tcp://head:5555"),
            ("ipc://", "no path", "ipc:///run"),
            ("", "begin with tcp://", "write tcp://head:5555"),
        ])
    func wrong(text: String, complaint: String, remedy: String) throws {
        let error = #expect(throws: TransportError.self) { try Endpoint(text) }
        let description = try #require(error?.description)
        #expect(description.contains(complaint) && description.contains("'\(text)'"))
        #expect(try #require(error?.hint).contains(remedy))
    }

    @Test("a path that the kernel cannot hold is refused, the longest one is not")
    func longPath() throws {
        let longest = "/" + String(repeating: "x", count: Endpoint.pathByteLimit - 1)
        #expect(try Endpoint("ipc://" + longest) == .ipc(path: longest))
        let text = "ipc://" + longest + "x"
        #expect(throws: TransportError.badEndpoint(text: text, .longPath(byteCount: 108))) {
            try Endpoint(text)
        }
    }

    @Test(
        "what only this machine reaches is loopback",
        arguments: [
            ("tcp://127.0.0.1:1", true), ("tcp://127.255.0.1:1", true), ("tcp://localhost:1", true),
            ("tcp://[::1]:1", true), ("tcp://[0:0:0:0:0:0:0:1]:1", true), ("ipc:///x", true),
            ("tcp://*:1", false), ("tcp://0.0.0.0:1", false), ("tcp://[::]:1", false),
            ("tcp://10.0.0.1:1", false), ("tcp://127.example.com:1", false),
            ("tcp://head:1", false),
            ("tcp://[::ffff:127.0.0.1]:1", true), ("tcp://[::ffff:10.0.0.1]:1", false),
            ("tcp://127.0.0:1", false), ("tcp://127.0.0.256:1", false), ("tcp://eth0:1", false),
        ])
    func loopback(text: String, isLoopback: Bool) throws {
        #expect(try Endpoint(text).isLoopback == isLoopback)
    }

    @Test(
        "a worker is not sent to an address that means every machine",
        arguments: [
            "tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://[::]:5555", "tcp://head:*",
        ])
    func unconnectable(text: String) throws {
        let context = try Context()
        let socket = try DealerSocket(context: context, security: .plain)
        let endpoint = try Endpoint(text)
        let error = #expect(throws: TransportError.self) { try socket.connect(to: endpoint) }
        #expect(try #require(error?.hint).contains("coordinator"))
    }

    /// `.invalid` never resolves (RFC 2606).
    @Test("a host that does not exist is explained")
    func lookup() throws {
        #expect(try Endpoint("tcp://head.invalid:5555").lookupFailure() != nil)
        #expect(try Endpoint("tcp://127.0.0.1:5555").lookupFailure() == nil)
        #expect(try Endpoint("ipc:///nowhere").lookupFailure() == nil)
    }
}

@Suite("Binding")
struct BindingTests {
    @Test("localhost is understood at both ends")
    func localhost() throws {
        let context = try Context()
        var server = try Server(context)
        guard case .tcp(_, let port) = try server.socket.bind(to: Endpoint("tcp://localhost:*"))
        else { return }
        var client = try Client(context, connectedTo: .tcp(host: "localhost", port: port))
        try client.send(.text("hello"))
        #expect(try server.message().message == .text("hello"))
    }

    @Test("IPv6 works where the kernel has it")
    func version6() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint: Endpoint
        do {
            endpoint = try server.socket.bind(to: Endpoint("tcp://[::1]:*"))
        } catch TransportError.notLocalAddress {
            return
        }
        var client = try Client(context, connectedTo: endpoint)
        try client.send(.text("hello"))
        let (peer, _) = try server.message()
        #expect(peer.address == "::1")
    }

    @Test("every interface means IPv4 too")
    func wildcard() throws {
        let fixture = try CurveTests.Fixture()
        let context = try Context()
        var server = try fixture.server(context)
        guard case .tcp(_, let port) = try server.socket.bind(to: Endpoint("tcp://*:*")) else {
            return
        }
        var client = try Client(
            context, security: .curve(fixture.client),
            connectedTo: .tcp(host: "127.0.0.1", port: port))
        try waiting(for: "a connection to send on", on: &client.loop) {
            _ = server.authenticator?.answerRequests()
            return client.socket.send(.text("hello")) == .sent ? () : nil
        }
        #expect(try server.message().message == .text("hello"))
    }

    @Test(
        "a public address needs keys",
        arguments: [
            "tcp://*:*", "tcp://0.0.0.0:*", "tcp://[::]:*", "tcp://192.0.2.1:*", "tcp://head:5555",
        ])
    func publicAddress(text: String) throws {
        let context = try Context()
        let server = try Server(context)
        let endpoint = try Endpoint(text)
        let error = #expect(throws: TransportError.publicAddressWithoutKeys(endpoint)) {
            try server.socket.bind(to: endpoint)
        }
        #expect(try #require(error?.hint).contains("alsweep keys new"))
    }

    @Test("a port in use is named")
    func portInUse() throws {
        let context = try Context()
        let first = try Server(context)
        let endpoint = try first.bind()
        let second = try Server(context)
        #expect(throws: TransportError.addressInUse(endpoint)) {
            try second.socket.bind(to: endpoint)
        }
        #expect(TransportError.addressInUse(endpoint).description.contains(endpoint.description))
    }

    /// 192.0.2.1 belongs to documentation (RFC 5737), and `nowhere` is no interface.
    @Test("an address of another machine is named", arguments: ["192.0.2.1", "nowhere"])
    func foreignAddress(host: String) throws {
        let context = try Context()
        let server = try CurveTests.Fixture().server(context)
        let endpoint = Endpoint.tcp(host: host, port: 0)
        #expect(throws: TransportError.notLocalAddress(endpoint)) {
            try server.socket.bind(to: endpoint)
        }
    }

    @Test("a file is not deleted to make room for a socket")
    func occupiedPath() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("results.csv")
        try Data("precious".utf8).write(to: URL(filePath: path))
        let context = try Context()
        let server = try Server(context)
        #expect(throws: TransportError.pathOccupied(.ipc(path: path))) {
            try server.socket.bind(to: .ipc(path: path))
        }
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("precious".utf8))
    }

    @Test("the socket of a live coordinator is not taken away, that of a dead one is replaced")
    func stalePath() throws {
        let folder = try TemporaryFolder()
        let endpoint = Endpoint.ipc(path: folder.path("worker.sock"))
        let context = try Context()
        do {
            let otherContext = try Context()
            let live = try Server(otherContext)
            _ = try live.socket.bind(to: endpoint)
            let second = try Server(context)
            #expect(throws: TransportError.addressInUse(endpoint)) {
                try second.socket.bind(to: endpoint)
            }
        }
        try Self.leaveStaleSocket(at: folder.path("worker.sock"))
        var server = try Server(context)
        #expect(try server.socket.bind(to: endpoint) == endpoint)
        var client = try Client(context, connectedTo: endpoint)
        try client.send(.text("hello"))
        #expect(try server.message().message == .text("hello"))
    }

    /// What a coordinator that was killed leaves behind: a bound socket that nobody owns.
    private static func leaveStaleSocket(at path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        unlink(path)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(status == 0)
    }

    @Test("a missing folder is named")
    func missingFolder() throws {
        let folder = try TemporaryFolder()
        let endpoint = Endpoint.ipc(path: folder.path("missing/worker.sock"))
        let context = try Context()
        let server = try Server(context)
        #expect(throws: TransportError.missingFolder(endpoint)) {
            try server.socket.bind(to: endpoint)
        }
    }
}
