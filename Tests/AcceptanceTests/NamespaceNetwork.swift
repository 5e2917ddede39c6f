import ChildProcess
import Foundation
import Testing

/// A network of machines that share only the kernel, the files and the processor with this one: a head
/// with a bridge, and nodes with a cable each. Every machine is a network namespace with an address of
/// its own; nothing of this machine's network is changed. It ends with the test, or with its process.
final class NamespaceNetwork {
    /// A namespace lives as long as the process in it: `cat`, which ends with its input.
    private final class Namespace {
        private let holder: ChildProcess

        init() throws {
            holder = try ChildProcess(program: "/usr/bin/unshare", arguments: ["--net", "cat"])
            // unshare has become cat when the namespace is there.
            let path = "/proc/\(holder.identifier)/comm"
            try #require(
                wait(upToSeconds: 20) {
                    (try? String(contentsOfFile: path, encoding: .utf8)) == "cat\n"
                }, "no network namespace can be made")
        }

        deinit {
            holder.kill(SIGKILL)
            _ = holder.wait()
        }

        var identifier: pid_t { holder.identifier }

        /// Runs a command in it.
        var entry: [String] { ["/usr/bin/nsenter", "--net=/proc/\(identifier)/ns/net"] }
    }

    private static let bridge = "bridge0"

    private let head: Namespace
    private let nodes: [Namespace]

    /// Whether such a network can be made: root may, unless a container forbids it.
    static let isAvailable: Bool =
        getuid() == 0
        && (try? succeeds([
            "/usr/bin/unshare", "--net", "--mount", "--uts", "sh", "-c",
            "hostname node && mount -t tmpfs none /mnt && ip link add cable type veth peer name port "
                + "&& ip link add \(bridge) type bridge",
        ])) == true

    init(nodeCount: Int) throws {
        let head = try Namespace()
        let nodes = try (0..<nodeCount).map { _ in try Namespace() }
        self.head = head
        self.nodes = nodes
        try run(head, "link add \(Self.bridge) type bridge")
        try run(head, "link set lo up")
        try run(head, "address add \(headAddress)/24 dev \(Self.bridge)")
        try run(head, "link set \(Self.bridge) up")
        for (index, node) in nodes.enumerated() {
            try run(
                head, "link add \(port(index)) type veth peer name cable netns \(node.identifier)")
            try run(head, "link set dev \(port(index)) master \(Self.bridge) up")
            try run(node, "address add \(address(ofNode: index))/24 dev cable")
            try run(node, "link set cable up")
            try run(node, "link set lo up")
        }
    }

    /// Of documentation (RFC 5737): nobody else's.
    let headAddress = "192.0.2.1"

    func address(ofNode index: Int) -> String { "192.0.2.\(11 + index)" }

    /// The words that run a command on the head.
    var headEntry: [String] { head.entry }

    /// The words that run a command on a node: under its own host name, and with a folder hidden that
    /// only the head has.
    func entry(toNode index: Int, named name: String, hiding folder: String) -> [String] {
        nodes[index].entry + [
            "/usr/bin/unshare", "--uts", "--mount", "/bin/sh", "-c",
            "hostname \"$0\" && mount -t tmpfs none \"$1\" && shift && exec \"$@\"", name, folder,
        ]
    }

    /// Pulls a node's cable out of the head, or puts it in.
    func setLink(ofNode index: Int, isUp: Bool) throws {
        try run(head, "link set dev \(port(index)) \(isUp ? "up" : "down")")
    }

    /// Whether the head reaches a port of a node.
    func reaches(node index: Int, port: UInt16) throws -> Bool {
        try Self.succeeds(
            head.entry + [
                "/usr/bin/timeout", "2", "/bin/bash", "-c",
                "</dev/tcp/\(address(ofNode: index))/\(port)",
            ])
    }

    private func port(_ index: Int) -> String { "node\(index)" }

    private func run(_ namespace: Namespace, _ words: String) throws {
        let command = namespace.entry + ["ip"] + words.split(separator: " ").map(String.init)
        try #require(try Self.succeeds(command), "\(command)")
    }

    private static func succeeds(_ command: [String]) throws -> Bool {
        let process = try ChildProcess(
            program: command[0], arguments: Array(command.dropFirst()), log: "/dev/null")
        while let bytes = process.readOutput() { if bytes.isEmpty { usleep(5_000) } }
        return process.wait() == .exited(0)
    }
}
