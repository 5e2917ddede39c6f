/// What a check of a machine found.
public struct Finding: Hashable, Sendable, Codable {
    public enum State: String, Hashable, Sendable, Codable {
        case ok
        /// A sweep can run, though not as well as it might.
        case warning
        /// A sweep would fail here.
        case failed
    }

    /// `here`, or a machine of the cluster file.
    public var machine: String
    public var check: String
    public var state: State
    public var value: String
    /// What to do where it is not ok.
    public var remedy: String?

    public init(
        machine: String = "here", _ check: String, _ state: State, _ value: String,
        remedy: String? = nil
    ) {
        self.machine = machine
        self.check = check
        self.state = state
        self.value = value
        self.remedy = state == .ok ? nil : remedy
    }
}

/// The findings as `alsweep doctor --output-mode json` writes them.
public struct Findings: Codable, Sendable {
    public var schema = 1
    public var findings: [Finding]

    public init(_ findings: [Finding]) { self.findings = findings }
}
