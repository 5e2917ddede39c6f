import Glibc
import Testing
import Wire

@testable import Transport

@Suite("Many clients in one router")
struct ConnectedRouterTests {
    @Test("each connection has its route and gets its own answers")
    func routes() throws {
        let context = try Context()
        var server = try Server(context)
        let endpoint = try server.bind()
        var clients = try Server(context)
        for name in ["first", "second"] { try clients.socket.connect(to: endpoint, as: name) }
        for name in ["second", "first"] {
            let route = PeerRoute(bytes: Array(name.utf8))
            try waiting(for: "a connection to send on", on: &clients.loop) {
                clients.socket.send(.text("from \(name)"), to: route) == .sent ? () : nil
            }
            let (peer, message) = try server.message()
            #expect(message == .text("from \(name)"))
            #expect(server.socket.send(.text("to \(name)"), to: peer.route) == .sent)
            let (answering, answer) = try clients.message()
            #expect(answer == .text("to \(name)"))
            #expect(answering.route == route)
        }
    }

    @Test("a connection to another machine is a mistake that stops the program")
    func otherMachine() async {
        await #expect(processExitsWith: .failure) {
            let router = try RouterSocket(context: try Context(), security: .plain)
            try router.connect(to: try Endpoint("tcp://192.0.2.1:5555"), as: "a")
        }
    }
}

@Test("a process notices that it may open no more files, also without a standard input")
func openFileLimit() async {
    // In a process of its own: the limit would hit the tests beside this one.
    await #expect(processExitsWith: .success) {
        close(STDIN_FILENO)
        #expect(!Context.isAtOpenFileLimit)
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        getrlimit(kind, &limit)
        limit.rlim_cur = 64
        setrlimit(kind, &limit)
        var opened: [Int32] = []
        while case let descriptor = open("/dev/null", O_RDONLY), descriptor >= 0 {
            opened.append(descriptor)
        }
        #expect(!opened.isEmpty)
        #expect(Context.isAtOpenFileLimit)
        close(opened[0])
        #expect(!Context.isAtOpenFileLimit)
    }
}
