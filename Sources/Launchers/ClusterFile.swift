import SweepModel
import Transport
import Yams

/// Reads a cluster file: YAML, checked as sweep files are.
public struct ClusterFile: CheckedYAMLFile {
    public static let maximumByteCount = 1 << 20
    /// Of all groups; more are taken for a mistake.
    public static let maximumHostCount = 10_000

    package let name: String

    /// - Parameters:
    ///   - text: the file's content.
    ///   - name: its path, for messages.
    public static func parse(_ text: String, name: String) throws(SweepFileError) -> Cluster {
        try ClusterFile(name: name).cluster(text)
    }

    private func cluster(_ text: String) throws(SweepFileError) -> Cluster {
        guard text.utf8.count <= Self.maximumByteCount else {
            throw error(
                "is \(text.utf8.count) bytes long; a cluster file has at most 1 MiB", at: nil)
        }
        let root = try compose(text, example: "cluster/local.yaml")
        let fields = try YAMLMapping(
            root, what: "a cluster", keys: ["bind", "host", "workers"], file: self)
        var cluster = Cluster()
        if let node = fields["bind"] { cluster.bind = try endpoint(node) }
        if let node = fields["host"] { cluster.host = try hostName(node, what: "the host") }
        for node in try sequence(
            fields.required("workers"), what: "workers", without: "worker")
        {
            try readGroup(node, into: &cluster)
        }
        try checkKubernetes(cluster, fields)
        return cluster
    }

    private func readGroup(_ node: Node, into cluster: inout Cluster) throws(SweepFileError) {
        let kinds = ["local", "ssh", "slurm", "kubernetes"]
        // `- local` alone is a worker with the defaults.
        let (key, value): (Node, Node?) =
            if let mapping = node.mapping, mapping.count == 1, let first = mapping.first {
                (first.key, first.value)
            } else {
                (node, nil)
            }
        guard key.scalar != nil else {
            throw error(
                "a group of workers is one of \(kinds.joined(separator: ", ")) with its settings",
                at: node, hint: "write: - ssh: {hosts: [node1, node2]}")
        }
        let kind = try word(key, what: "a group")
        switch kind {
        case "local":
            guard cluster.local == nil else {
                throw error(
                    "there are two local groups; one worker uses all of a machine", at: node)
            }
            cluster.local = try value.map(localGroup) ?? WorkerSetup()
        case "ssh":
            let group = try sshGroup(value ?? node)
            cluster.ssh.append(group)
            try checkHosts(cluster, at: node)
        case "slurm": cluster.slurm.append(try value.map(slurmGroup) ?? SlurmGroup())
        case "kubernetes":
            guard cluster.kubernetes == nil else {
                throw error(
                    "there are two kubernetes groups; each would be a sweep of its own", at: node)
            }
            cluster.kubernetes = try kubernetesGroup(value ?? node)
        default: throw unknown("kind of workers", kind, among: kinds, at: key)
        }
    }

    /// Two workers on the same cores would only be in each other's way.
    private func checkHosts(_ cluster: Cluster, at node: Node) throws(SweepFileError) {
        let labels = cluster.ssh.flatMap { $0.hosts.map(\.label) }
        guard labels.count <= Self.maximumHostCount else {
            throw error("has more than \(Self.maximumHostCount) hosts", at: node)
        }
        var known: Set<String> = []
        for label in labels where !known.insert(label).inserted {
            throw error("host '\(label)' is listed twice", at: node)
        }
    }

    private func endpoint(_ node: Node) throws(SweepFileError) -> Endpoint {
        let text = try word(node, what: "bind")
        do throws(TransportError) {
            return try Endpoint(text)
        } catch {
            throw self.error(error.description, at: node, hint: error.hint)
        }
    }

    func hostName(_ node: Node, what: String) throws(SweepFileError) -> String {
        try hostName(word(node, what: what), at: node, what: what)
    }

    /// What begins with a dash would be an option of ssh.
    func hostName(
        _ text: String, at node: Node, what: String
    ) throws(SweepFileError) -> String {
        let isAllowed = text.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                || "-_.:%".unicodeScalars.contains(scalar)
        }
        guard isAllowed, !text.isEmpty, !text.hasPrefix("-"), text.utf8.count <= 255 else {
            throw error("\(what) '\(text)' is not a machine's name", at: node)
        }
        return text
    }
}
