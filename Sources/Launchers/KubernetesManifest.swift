import SweepModel
import Yams

/// A sweep's objects in Kubernetes, as YAML for `kubectl apply`: the sweep file and the keys, the
/// runs' folder, the coordinator as a Job behind a Service, and the workers as an Indexed Job. The
/// coordinator is a Job, and no Deployment, because it ends with the sweep.
///
/// Fields as of Kubernetes 1.29; before, its description of `podFailurePolicy` was another.
public struct KubernetesManifest {
    /// The text of the certificates, for a Secret.
    public struct Keys: Hashable, Sendable {
        public var server: String
        public var client: String

        public init(server: String, client: String) {
            self.server = server
            self.client = client
        }
    }

    /// Where the coordinator listens.
    static let port = 5_555
    /// With `alsweep-` before it and the longest ending after it, a name of 63 bytes at most.
    private static let longestSweepName = 36

    let group: KubernetesGroup
    private let sweepText: String
    private let launchOptions: [String]
    private let keys: Keys?
    /// Of all objects, with endings.
    let name: String

    /// - Parameters:
    ///   - sweep: the sweep's name.
    ///   - text: the sweep file.
    ///   - launchOptions: more options of the coordinator's `alsweep launch`.
    ///   - keys: for a Secret where the group names none.
    public init(
        _ group: KubernetesGroup, sweep: String, text: String, launchOptions: [String],
        keys: Keys?
    ) {
        self.group = group
        sweepText = text
        self.launchOptions = launchOptions
        self.keys = keys
        name = "alsweep-" + Self.label(sweep)
    }

    /// Small letters, digits and dashes, with no dash at an end (RFC 1123).
    private static func label(_ text: String) -> String {
        let dashed = text.lowercased().map { character in
            character.isASCII && (character.isLetter || character.isNumber) ? character : "-"
        }
        let words: [String] = dashed.split(separator: "-").map { String($0) }
        let short = words.joined(separator: "-").prefix(longestSweepName)
        let name = short.hasSuffix("-") ? short.dropLast() : short
        return name.isEmpty ? "sweep" : String(name)
    }

    /// The documents, one after the other.
    public func text() throws -> String {
        try Yams.serialize(
            nodes: objects, indent: 2, width: -1, allowUnicode: true, explicitStart: true)
    }

    private var objects: [Node] {
        var objects = [configMap]
        if let keys, group.secret == nil { objects.append(secret(keys)) }
        if group.runsClaim == nil { objects.append(claim) }
        return objects + [service, coordinator, workers]
    }

    var secretName: String { group.secret ?? name + "-keys" }
    var claimName: String { group.runsClaim ?? name + "-runs" }

    // MARK: Objects

    private var configMap: Node {
        object("v1", "ConfigMap", name, ["data": ["sweep.yaml": Self.block(sweepText)]])
    }

    private func secret(_ keys: Keys) -> Node {
        object(
            "v1", "Secret", secretName,
            [
                "type": "Opaque",
                "stringData": [
                    "server.cert": Self.block(keys.server), "client.cert": Self.block(keys.client),
                ],
            ])
    }

    private var claim: Node {
        object(
            "v1", "PersistentVolumeClaim", claimName,
            [
                "spec": [
                    "accessModes": ["ReadWriteOnce"],
                    "resources": ["requests": ["storage": Self.word(group.storage)]],
                ]
            ])
    }

    private var service: Node {
        object(
            "v1", "Service", name,
            [
                "spec": [
                    "selector": labels("coordinator", all: false),
                    "ports": [["name": "alsweep", "port": Self.number(Self.port)]],
                ]
            ])
    }

    private var coordinator: Node {
        let arguments =
            [
                "launch", "/sweep/sweep.yaml", "--slots", "0", "--bind", "tcp://*:\(Self.port)",
                "--certificate", "/keys/server.cert", "--runs", "/runs",
            ] + launchOptions
        return object(
            "batch/v1", "Job", name + "-coordinator",
            [
                "spec": [
                    "backoffLimit": Self.number(6), "podFailurePolicy": Self.failurePolicy,
                    "template": pod("coordinator", coordinatorPod(arguments)),
                ]
            ], "coordinator")
    }

    private var workers: Node {
        let setup = group.setup
        var arguments = [
            "worker", "--connect", "tcp://\(name):\(Self.port)", "--certificate",
            "/keys/client.cert",
        ]
        arguments += setup.gpus?.options ?? ["--slots", String(group.slots)]
        arguments += [
            "--threads", String(setup.threads), "--scratch", "/scratch",
            // Until the coordinator's image is pulled and its volume is there.
            "--connect-timeout", "3600",
        ]
        if let data = setup.data { arguments += ["--data", data] }
        return object(
            "batch/v1", "Job", name + "-workers",
            [
                "spec": [
                    "completionMode": "Indexed", "completions": Self.number(group.workers),
                    "parallelism": Self.number(group.workers),
                    // Six failures of each; those of the machines are none.
                    "backoffLimit": Self.number(6 * group.workers),
                    "podFailurePolicy": Self.failurePolicy,
                    "template": pod("worker", workerPod(arguments)),
                ]
            ], "worker")
    }

    /// What is stopped with everything saved (75), and what a machine's end takes with it, is started
    /// again and is no failure.
    private static var failurePolicy: Node {
        [
            "rules": [
                [
                    "action": "Ignore",
                    "onPodConditions": [["type": "DisruptionTarget", "status": Self.word("True")]],
                ],
                [
                    "action": "Ignore",
                    "onExitCodes": [
                        "containerName": "alsweep", "operator": "In", "values": [number(75)],
                    ],
                ],
            ]
        ]
    }

    private func object(
        _ version: String, _ kind: String, _ name: String, _ rest: Node, _ part: String? = nil
    ) -> Node {
        var metadata: Node.Mapping = ["name": Self.word(name)]
        if let namespace = group.namespace { metadata["namespace"] = Self.word(namespace) }
        metadata["labels"] = labels(part, all: true)
        var mapping: Node.Mapping = [
            "apiVersion": Self.word(version), "kind": Self.word(kind),
            "metadata": .mapping(metadata),
        ]
        for (key, value) in rest.mapping ?? [:] { mapping[key] = value }
        return .mapping(mapping)
    }

    /// - Parameter all: also those of the cluster file, which nothing is selected by.
    func labels(_ part: String?, all: Bool) -> Node {
        var labels: Node.Mapping = [
            "app.kubernetes.io/name": "alsweep", "app.kubernetes.io/instance": Self.word(name),
        ]
        if let part { labels["app.kubernetes.io/component"] = Self.word(part) }
        if all {
            for label in group.labels { labels[Self.word(label.name)] = Self.word(label.value) }
        }
        return .mapping(labels)
    }

    // MARK: Values

    static func number(_ value: Int) -> Node { Node(String(value)) }

    /// A text that stays one, also where YAML would read a number or a truth value.
    static func word(_ text: String) -> Node {
        let plain = Node(text)
        return plain.tag == Tag(.str) && !text.isEmpty
            ? plain : Node(text, Tag(.str), .doubleQuoted)
    }

    static func words(_ texts: [String]) -> Node { .sequence(.init(texts.map(word))) }

    private static func block(_ text: String) -> Node { Node(text, Tag(.str), .literal) }
}
