import SweepModel
import Yams

extension ClusterFile {
    func kubernetesGroup(_ node: Node) throws(SweepFileError) -> KubernetesGroup {
        let fields = try YAMLMapping(
            node, what: "a kubernetes group",
            keys: [
                "image", "namespace", "workers", "slots", "threads", "cpus", "memory", "secret",
                "labels", "node_selector", "environment", "data", "data_claim", "runs_claim",
                "storage",
            ] + Self.gpuKeys, file: self)
        var group = KubernetesGroup(
            image: try matchingWord(
                fields.required("image"), "image", /[A-Za-z0-9][A-Za-z0-9_.:@\/-]*/,
                as: "registry.example.org/alsweep:0.1"))
        group.setup = try setup(fields)
        (group.setup.gpus, group.gpuCount) = try countedGPUs(fields, given: nil)
        group.namespace = try objectName(fields["namespace"], "namespace")
        group.secret = try objectName(fields["secret"], "secret")
        group.dataClaim = try objectName(fields["data_claim"], "data_claim")
        group.runsClaim = try objectName(fields["runs_claim"], "runs_claim")
        group.memory = try quantity(fields["memory"], "memory")
        if let node = fields["workers"] {
            group.workers = try integer(node, what: "workers", in: 1...10_000)
        }
        if let node = fields["cpus"] {
            group.processors = try integer(node, what: "cpus", in: 1...4_096)
        }
        if let node = fields["storage"] {
            guard group.runsClaim == nil else {
                throw error(
                    "storage is of a claim that is made, and runs_claim names one that is there",
                    at: node, hint: "leave one of them out")
            }
            group.storage = try quantity(node, "storage")!
        }
        if let node = fields["data"] {
            guard group.setup.data?.hasPrefix("/") == true else {
                throw error("data is '\(node.text)'; in a pod it is a path from /", at: node)
            }
        } else if group.dataClaim != nil {
            group.setup.data = "/data"
        }
        if let node = fields["labels"] { group.labels = try labels(node, "labels") }
        if let node = fields["node_selector"] {
            group.nodeSelector = try labels(node, "node_selector")
        }
        return group
    }

    /// What else the file says has no place where the coordinator runs in the cluster.
    func checkKubernetes(_ cluster: Cluster, _ fields: YAMLMapping) throws(SweepFileError) {
        guard cluster.kubernetes != nil else { return }
        guard cluster.local == nil, cluster.ssh.isEmpty, cluster.slurm.isEmpty else {
            throw error(
                "a kubernetes group stands alone: its coordinator runs in the cluster, too",
                at: fields["workers"], hint: "write the other groups into a file of their own")
        }
        for key in ["bind", "host"] {
            guard let node = fields[key] else { continue }
            throw error(
                "\(key) has no meaning with a kubernetes group, whose coordinator is a Service",
                at: node, hint: "leave it out")
        }
    }

    /// As Kubernetes names most objects (RFC 1123).
    private func objectName(_ node: Node?, _ what: String) throws(SweepFileError) -> String? {
        guard let node else { return nil }
        let name = try matchingWord(
            node, what, /[a-z0-9]([a-z0-9.-]*[a-z0-9])?/, as: "learning-1 (small letters)")
        guard name.utf8.count <= 63 else {
            throw error("\(what) '\(name)' is longer than 63 bytes", at: node)
        }
        return name
    }

    private func quantity(_ node: Node?, _ what: String) throws(SweepFileError) -> String? {
        try matching(node, what, /[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?/, as: "8Gi")
    }

    private func labels(_ node: Node, _ what: String) throws(SweepFileError) -> [KubernetesLabel] {
        guard let mapping = node.mapping else {
            throw error(
                "\(what) is a mapping of names to values", at: node,
                hint: "write: \(what): {pool: cpu}")
        }
        var labels: [KubernetesLabel] = []
        for (key, value) in mapping {
            let name = try matchingWord(
                key, "a label's name",
                /([a-z0-9.-]+\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?/,
                as: "pool or example.org/pool")
            guard let text = value.scalar?.string,
                (try? /([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?/.wholeMatch(in: text))
                    != nil
            else {
                throw error(
                    "the label \(name) is '\(value.text)'; it is a word of at most 63 letters, "
                        + "digits, '-', '_' and '.'", at: value)
            }
            guard !name.hasPrefix("app.kubernetes.io/") else {
                throw error("alsweep's own labels begin with app.kubernetes.io/", at: key)
            }
            labels.append(KubernetesLabel(name: name, value: text))
        }
        return labels
    }
}
