/// The places in a run's folder.
public struct RunFolder: Hashable, Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    public var journal: String { path + "/journal.sqlite" }
    public var lock: String { path + "/coordinator.lock" }
    /// The sweep file as submitted.
    public var sweep: String { path + "/sweep.yaml" }
    /// One line: where the coordinator listens. It stands there also after the coordinator's end,
    /// so that the next one listens where its workers look for it.
    public var endpoint: String { path + "/endpoint" }
    /// One line: where the coordinator takes its user's commands.
    public var controlEndpoint: String { path + "/control.endpoint" }
    /// What lets this run's owner command the coordinator; another one with each.
    public var controlCertificate: String { path + "/control.cert" }
    public var models: String { path + "/models" }
    public var checkpoints: String { path + "/checkpoints" }
    /// Classifiers of the first cycles, for all trials that have the same labelled sets there.
    public var classifiers: String { path + "/classifiers" }
    public var logs: String { path + "/logs" }
    /// Files on their way from workers or to them, named by their digests.
    public var incoming: String { path + "/incoming" }
    /// Held by the worker that `launch` started.
    public var workerLock: String { path + "/worker.lock" }

    /// One line: the worker that `launch` started last.
    public var workerIdentifier: String { path + "/worker.id" }
    /// Written when the sweep is finished.
    public var report: String { path + "/report.html" }
    /// Written when the sweep is finished.
    public var results: String { path + "/results.csv" }
    public var keys: String { path + "/keys" }
    public var serverCertificate: String { keys + "/server.cert" }
    public var clientCertificate: String { keys + "/client.cert" }

    /// Made when a run is created.
    public var subfolders: [String] { [models, checkpoints, logs] }

    public func model(of trial: TrialID) -> String { "\(models)/\(trial).safetensors" }

    public func checkpoint(of trial: TrialID) -> String { "\(checkpoints)/\(trial).safetensors" }

    public func log(of trial: TrialID, attempt: Int) -> String {
        "\(logs)/\(trial).\(attempt).log"
    }
}
