import SweepModel
import Yams

extension ClusterFile {
    private static let setupKeys = ["slots", "threads", "data"] + gpuKeys
    private static let remoteKeys = setupKeys + ["binary", "scratch", "environment"]

    func localGroup(_ node: Node) throws(SweepFileError) -> WorkerSetup {
        let fields = try YAMLMapping(
            node, what: "a local group", keys: Self.setupKeys, file: self)
        var setup = try setup(fields)
        setup.gpus = try namedGPUs(fields)
        return setup
    }

    func sshGroup(_ node: Node) throws(SweepFileError) -> SSHGroup {
        let fields = try YAMLMapping(
            node, what: "an ssh group", keys: ["hosts", "config"] + Self.remoteKeys, file: self)
        var hosts: [SSHHost] = []
        for item in try sequence(fields.required("hosts"), what: "hosts", without: "worker") {
            hosts.append(try host(item))
        }
        let configPath = try fields["config"].map { node throws(SweepFileError) in
            try word(node, what: "config")
        }
        var setup = try setup(fields)
        setup.gpus = try namedGPUs(fields)
        if setup.gpus != nil, let host = hosts.first(where: { $0.slots != nil }) {
            throw error(
                "host '\(host.label)' has slots, and the group's trials run on GPUs",
                at: fields["gpus"], hint: "write the hosts without GPUs into a group of their own")
        }
        return SSHGroup(hosts: hosts, setup: setup, configPath: configPath)
    }

    /// `node1`, `ana@node1:2222`, or a mapping.
    private func host(_ node: Node) throws(SweepFileError) -> SSHHost {
        guard node.mapping == nil else {
            let fields = try YAMLMapping(
                node, what: "a host", keys: ["host", "user", "port", "slots"], file: self)
            var host = SSHHost(name: try hostName(fields.required("host"), what: "the host"))
            host.user = try fields["user"].map { node throws(SweepFileError) in
                try hostName(node, what: "the user")
            }
            host.port = try fields["port"].map { node throws(SweepFileError) in
                try integer(node, what: "port", in: 1...65_535)
            }
            host.slots = try slots(fields["slots"])
            return host
        }
        return try host(word(node, what: "a host"), at: node)
    }

    private func host(_ text: String, at node: Node) throws(SweepFileError) -> SSHHost {
        let at = text.firstIndex(of: "@")
        var name = at.map { String(text[text.index(after: $0)...]) } ?? text
        var port: Int?
        // An IPv6 address has more than one colon, and its port stands in a mapping.
        if name.count(where: { $0 == ":" }) == 1, let colon = name.firstIndex(of: ":") {
            port = Int(name[name.index(after: colon)...])
            guard let port, (1...65_535).contains(port) else {
                throw error("'\(name)' has no port from 1 to 65535 behind the colon", at: node)
            }
            name = String(name[..<colon])
        }
        var host = SSHHost(name: try hostName(name, at: node, what: "the host"), port: port)
        host.user = try at.map { at throws(SweepFileError) in
            try hostName(String(text[..<at]), at: node, what: "the user")
        }
        return host
    }

    func slurmGroup(_ node: Node) throws(SweepFileError) -> SlurmGroup {
        let keys =
            [
                "partition", "account", "time", "cpus", "memory", "gres", "options", "setup",
                "jobs", "array", "shared",
            ] + Self.remoteKeys
        let fields = try YAMLMapping(node, what: "a slurm group", keys: keys, file: self)
        var group = SlurmGroup()
        group.setup = try setup(fields)
        if case .copied = group.setup.program {
            throw error(
                "a slurm group copies no program", at: fields["binary"],
                hint: "write the path under which the jobs' machines see it")
        }
        group.partition = try option(fields["partition"], "partition")
        group.account = try option(fields["account"], "account")
        group.resources = try option(fields["gres"], "gres")
        (group.setup.gpus, group.gpuCount) = try countedGPUs(
            fields, given: group.resources.flatMap(gpuCount))
        group.time = try matching(
            fields["time"], "time", /\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}/, as: "2:00:00 or 1-12")
        group.memory = try matching(fields["memory"], "memory", /\d+[KMGT]?/, as: "8G")
        if let node = fields["cpus"] {
            group.processors = try integer(node, what: "cpus", in: 1...4_096)
        }
        if let node = fields["jobs"] {
            group.jobLimit = try integer(node, what: "jobs", in: 1...10_000)
        }
        if let node = fields["array"] {
            group.arrayLimit = try integer(node, what: "array", in: 1...10_000)
        }
        if let node = fields["shared"] {
            guard let isShared = node.bool else {
                throw error("shared is '\(node.text)'; it is true or false", at: node)
            }
            group.isShared = isShared
        }
        if let node = fields["setup"] { group.preparation = try word(node, what: "setup") }
        group.options = try fields["options"].map(options) ?? []
        return group
    }

    private func options(_ node: Node) throws(SweepFileError) -> [String] {
        var options: [String] = []
        for item in try sequence(node, what: "options", isEmptyAllowed: true) {
            let text = try word(item, what: "an option")
            guard text.hasPrefix("--"), !text.contains(where: \.isNewline) else {
                throw error(
                    "'\(text)' is not an option of sbatch, which begins with --", at: item)
            }
            // These are how the jobs are found again, and how they end in time.
            let own = ["--job-name", "--array", "--signal", "--requeue", "--output"]
            if let name = own.first(where: { text.hasPrefix($0) }) {
                throw error("\(name) is alsweep's own option of sbatch", at: item)
            }
            options.append(text)
        }
        return options
    }

    /// A word of an option's value.
    private func option(_ node: Node?, _ what: String) throws(SweepFileError) -> String? {
        try matching(node, what, /[A-Za-z0-9_.:,+*=\/-]+/, as: "a word without spaces")
    }

    func matching(
        _ node: Node?, _ what: String, _ pattern: Regex<some Any>, as example: String
    ) throws(SweepFileError) -> String? {
        guard let node else { return nil }
        return try matchingWord(node, what, pattern, as: example)
    }

    func matchingWord(
        _ node: Node, _ what: String, _ pattern: Regex<some Any>, as example: String
    ) throws(SweepFileError) -> String {
        let text = try word(node, what: what)
        guard (try? pattern.wholeMatch(in: text)) != nil else {
            throw error("\(what) is '\(text)'; write it as in \(example)", at: node)
        }
        return text
    }

    func setup(_ fields: YAMLMapping) throws(SweepFileError) -> WorkerSetup {
        var setup = WorkerSetup()
        setup.slots = try slots(fields["slots"])
        if let node = fields["threads"] {
            setup.threads = try integer(node, what: "threads", in: 1...1_024)
        }
        if let node = fields["data"] { setup.data = try word(node, what: "data") }
        if let node = fields["scratch"] { setup.scratch = try word(node, what: "scratch") }
        if let node = fields["binary"] {
            let text = try word(node, what: "binary")
            setup.program = text == "copy" ? .copied : .installed(text)
        }
        if let node = fields["environment"] { setup.environment = try environment(node) }
        return setup
    }

    private func slots(_ node: Node?) throws(SweepFileError) -> Int? {
        guard let node else { return nil }
        return try integer(node, what: "slots", in: 1...WorkerLimits.slots)
    }

    private func environment(_ node: Node) throws(SweepFileError) -> [EnvironmentVariable] {
        guard let mapping = node.mapping else {
            throw error(
                "environment is a mapping of names to values", at: node,
                hint: "write: environment: {ALSWEEP_DATA: /data}")
        }
        var variables: [EnvironmentVariable] = []
        for (key, value) in mapping {
            let name = try word(key, what: "a variable")
            guard name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil else {
                throw error("'\(name)' is not the name of a variable", at: key)
            }
            guard let text = value.scalar?.string else {
                throw error("the value of \(name) is one text", at: value)
            }
            variables.append(EnvironmentVariable(name: name, value: text))
        }
        return variables
    }
}
