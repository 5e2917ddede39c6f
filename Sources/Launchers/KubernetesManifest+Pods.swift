import Yams

extension KubernetesManifest {
    func pod(_ part: String, _ specification: Node) -> Node {
        ["metadata": ["labels": labels(part, all: true)], "spec": specification]
    }

    func coordinatorPod(_ arguments: [String]) -> Node {
        specification(
            arguments,
            resources: ["requests": ["cpu": "500m", "memory": "512Mi"]],
            volumes: [runs(claimName), sweepFile],
            mounts: [
                ["name": "runs", "mountPath": "/runs"], ["name": "sweep", "mountPath": "/sweep"],
            ],
            environment: [], key: "*.cert")
    }

    func workerPod(_ arguments: [String]) -> Node {
        var volumes: [Node] = [["name": "scratch", "emptyDir": Self.nothing]]
        var mounts: [Node] = [["name": "scratch", "mountPath": "/scratch"]]
        if let claim = group.runsClaim {
            volumes.append(runs(claim))
            mounts.append(["name": "runs", "mountPath": "/runs"])
        }
        if let claim = group.dataClaim, let data = group.setup.data {
            volumes.append(
                [
                    "name": "data",
                    "persistentVolumeClaim": ["claimName": Self.word(claim), "readOnly": "true"],
                ])
            mounts.append(["name": "data", "mountPath": Self.word(data), "readOnly": "true"])
        }
        var amounts: Node.Mapping = [
            "cpu": Self.number(group.processors ?? group.slots * group.setup.threads)
        ]
        if let memory = group.memory { amounts["memory"] = Self.word(memory) }
        if let count = group.gpuCount { amounts["nvidia.com/gpu"] = Self.number(count) }
        let cache = EnvironmentVariable(name: "XDG_CACHE_HOME", value: "/scratch/cache")
        var pod = specification(
            arguments, resources: ["requests": .mapping(amounts), "limits": .mapping(amounts)],
            volumes: volumes, mounts: mounts, environment: [cache] + group.setup.environment,
            key: "client.cert")
        if !group.nodeSelector.isEmpty {
            let labels = group.nodeSelector.map { (Self.word($0.name), Self.word($0.value)) }
            pod["nodeSelector"] = .mapping(.init(labels))
        }
        return pod
    }

    private func runs(_ claim: String) -> Node {
        ["name": "runs", "persistentVolumeClaim": ["claimName": Self.word(claim)]]
    }

    private var sweepFile: Node { ["name": "sweep", "configMap": ["name": Self.word(name)]] }

    private static var nothing: Node { .mapping([:]) }

    /// A pod as the "restricted" Pod Security Standard wants it: user 1000 of the image, no more rights.
    ///
    /// - Parameter key: the certificates that it gets, as a shell's pattern. A Secret's files belong to
    ///   root and are readable by the pod's group; alsweep takes only those that nobody else can read.
    private func specification(
        _ arguments: [String], resources: Node, volumes: [Node], mounts: [Node],
        environment: [EnvironmentVariable], key: String
    ) -> Node {
        let image = Self.word(group.image)
        let keys: Node = [
            "name": "keys", "image": image,
            "command": Self.words(["sh", "-c", "umask 077 && cp -L /secret/\(key) /keys/"]),
            "securityContext": Self.restricted,
            "volumeMounts": [
                ["name": "secret", "mountPath": "/secret", "readOnly": "true"],
                ["name": "keys", "mountPath": "/keys"],
            ],
        ]
        var container: Node = [
            "name": "alsweep", "image": image, "args": Self.words(arguments),
            "resources": resources, "securityContext": Self.restricted,
            "volumeMounts": .sequence(.init([["name": "keys", "mountPath": "/keys"]] + mounts)),
        ]
        if !environment.isEmpty {
            container["env"] = .sequence(
                .init(
                    environment.map { variable -> Node in
                        ["name": Self.word(variable.name), "value": Self.word(variable.value)]
                    }))
        }
        let own: [Node] = [
            ["name": "keys", "emptyDir": ["medium": "Memory"]],
            ["name": "secret", "secret": ["secretName": Self.word(secretName)]],
        ]
        return [
            "restartPolicy": "Never", "automountServiceAccountToken": "false",
            // Variables such as ALSWEEP_DATA_PORT are not for this program.
            "enableServiceLinks": "false", "terminationGracePeriodSeconds": Self.number(120),
            "securityContext": [
                "runAsNonRoot": "true", "runAsUser": Self.number(1_000),
                "runAsGroup": Self.number(1_000), "fsGroup": Self.number(1_000),
                "seccompProfile": ["type": "RuntimeDefault"],
            ],
            "initContainers": [keys], "containers": [container],
            "volumes": .sequence(.init(own + volumes)),
        ]
    }

    private static var restricted: Node {
        ["allowPrivilegeEscalation": "false", "capabilities": ["drop": ["ALL"]]]
    }
}
