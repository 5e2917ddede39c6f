/// Which modules the sources of a target may import. The architecture in one table.
struct ImportRule {
    let target: String
    let allowed: Set<String>

    static let standard: Set<String> = [
        "Foundation", "FoundationEssentials", "Glibc", "Synchronization",
    ]

    static let all: [ImportRule] = [
        ImportRule("JSONText", [String]()),
        ImportRule("SweepModel", ["JSONText", "Yams"]),
        ImportRule("Wire", ["JSONText", "SweepModel", "FoundationEssentials"]),
        ImportRule("Coordinator", ["SweepModel", "Wire", "OrderedCollections", "DequeModule"]),
        ImportRule("Agent", ["SweepModel", "Wire"]),
        ImportRule(
            "Simulation",
            ["SweepModel", "Wire", "Coordinator", "Agent", "OrderedCollections", "HeapModule"]),
        ImportRule("Reporting", ["SweepModel", "FoundationEssentials"]),
        ImportRule("Digests", ["CCrypto"] + standard),
        ImportRule("Datasets", ["SweepModel", "Digests", "CZlib", "CArchive"] + standard),
        ImportRule("DatasetFetch", ["Datasets", "CCurl"] + standard),
        ImportRule(
            "Classifier",
            ["CChannelSums", "COneDNN", "COpenBLAS", "CProcessor", "CWinograd", "CTorchEngine"]
                + standard),
        ImportRule(
            "ActiveLearning",
            ["SweepModel", "Classifier", "Datasets", "Digests", "COpenBLAS"] + standard),
        ImportRule(
            "Journal", ["JSONText", "SweepModel", "GRDB", "GRDBSQLite", "CZlib"] + standard),
        ImportRule("Transport", ["Wire", "CZeroMQ"] + standard),
        ImportRule(
            "BlobTransfer", ["SweepModel", "Wire", "Transport", "Digests"] + standard),
        ImportRule("ChildProcess", standard),
        ImportRule("GPUs", ["SweepModel", "ChildProcess"] + standard),
        ImportRule(
            "Launchers", ["SweepModel", "Transport", "ChildProcess", "GPUs", "Yams"] + standard),
        ImportRule(
            "CoordinatorService",
            [
                "SweepModel", "Wire", "Coordinator", "Journal", "Transport", "BlobTransfer",
                "ChildProcess", "Launchers", "DequeModule", "OrderedCollections", "Logging",
            ]
                + standard),
        ImportRule(
            "WorkerService",
            [
                "SweepModel", "Wire", "Agent", "Transport", "BlobTransfer", "ChildProcess", "GPUs",
                "Logging",
            ] + standard),
        ImportRule(
            "alsweep",
            [
                "SweepModel", "Wire", "Coordinator", "Journal", "Transport", "ChildProcess",
                "BlobTransfer", "Digests", "Datasets", "DatasetFetch", "Classifier",
                "ActiveLearning", "Reporting",
                "CoordinatorService", "WorkerService", "Launchers", "Agent", "Simulation",
                "CProcessor", "GPUs", "ArgumentParser", "DequeModule", "Logging",
            ] + standard),
    ]

    /// Only in these files may the named module be imported.
    static let confined: [String: Set<String>] = [
        "Yams": [
            "SweepFile.swift", "SweepFile+Nodes.swift", "SweepFile+Protocol.swift",
            "ClusterFile.swift", "ClusterFile+Groups.swift", "ClusterFile+Kubernetes.swift",
            "ClusterFile+GPUs.swift",
            "KubernetesManifest.swift", "KubernetesManifest+Pods.swift",
        ],
        "GRDBSQLite": ["RowReader.swift", "RowWriter.swift"],
    ]

    private init(_ target: String, _ allowed: [String]) {
        self.target = target
        self.allowed = Set(allowed)
    }

    private init(_ target: String, _ allowed: Set<String>) {
        self.target = target
        self.allowed = allowed
    }
}

extension [String] {
    fileprivate static func + (names: [String], more: Set<String>) -> [String] {
        names + Array(more)
    }
}

/// The modules that Swift source text imports.
func importedModules(in source: String) -> [String] {
    source.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "import"), index < 3, words.count > index + 1,
            words[..<index].allSatisfy({
                $0.hasPrefix("@")
                    || ["public", "internal", "private", "package", "fileprivate"].contains($0)
            })
        else { return nil }
        let name = words.last { !$0.hasPrefix("//") } ?? words[index + 1]
        return String(name.split(separator: ".")[0])
    }
}

/// What is wrong with the imports of a file, each with its remedy.
func brokenImports(in source: String, file: String, target: String) -> [String] {
    guard let rule = ImportRule.all.first(where: { $0.target == target }) else {
        return ["\(target) has no rule: add it to ImportRules.swift and docs/ARCHITECTURE.md"]
    }
    return importedModules(in: source).compactMap { module in
        if !rule.allowed.contains(module) {
            return
                "\(target)/\(file) imports \(module), which \(target) may not: move the code to a "
                + "target that may, or pass what it needs as a value"
        }
        if let files = ImportRule.confined[module], !files.contains(file) {
            return "\(target)/\(file) imports \(module), which only \(files.sorted()) may: hand it "
                + "what they have read"
        }
        return nil
    }
}
