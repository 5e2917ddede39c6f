import SweepModel

/// The sweep that workers are started for.
public struct LaunchedSweep: Hashable, Sendable {
    /// The run's name; workers of other runs are left alone.
    public var run: String
    /// The run's folder on this machine.
    public var folder: RunFolder
    /// Where workers connect, as in `tcp://head:5555`.
    public var endpoint: String
    /// The client's certificate, where the coordinator has keys.
    public var certificatePath: String?

    public init(run: String, folder: RunFolder, endpoint: String, certificatePath: String?) {
        self.run = run
        self.folder = folder
        self.endpoint = endpoint
        self.certificatePath = certificatePath
    }
}

/// What a coordinator knows that a launcher asks for.
public struct SweepSituation: Hashable, Sendable {
    public struct Worker: Hashable, Sendable {
        public var id: WorkerID
        public var slots: Int
        /// Trials that it runs.
        public var trials: Int

        public init(id: WorkerID, slots: Int, trials: Int) {
            self.id = id
            self.slots = slots
            self.trials = trials
        }
    }

    /// Trials that wait for a slot.
    public var waitingTrials: Int
    /// Connected workers.
    public var workers: [Worker]

    public init(waitingTrials: Int, workers: [Worker]) {
        self.waitingTrials = waitingTrials
        self.workers = workers
    }
}

/// What a launcher tells.
public enum LauncherNotice: Hashable, Sendable {
    case said(String)
    case warned(String, hint: String?)
    /// A worker's process has ended; `fault` is what its trials are blamed with, nil for nothing.
    case workerDied(WorkerID, fault: WorkerFault?)
}

/// Starts workers somewhere, looks after them and ends them. None of its calls waits.
public protocol Launcher: AnyObject {
    /// Looks after the workers; called about once a second.
    ///
    /// - Parameter now: a monotonic clock's milliseconds.
    func step(_ situation: SweepSituation, at now: Int64) -> [LauncherNotice]

    /// The sweep is over: ends the workers that have not ended by themselves.
    ///
    /// - Returns: whether all is done; called until then, or until the caller's patience ends.
    func end(at now: Int64) -> Bool
}

/// Why no worker can be started.
public enum LauncherError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Something else lies where a folder of this user's is needed.
    case unusableFolder(String)
    /// A job script cannot be written.
    case unwritable(path: String)

    public var description: String {
        switch self {
        case .unusableFolder(let path): "\(path) is not a folder that only you can read"
        case .unwritable(let path): "\(path) cannot be written"
        }
    }

    public var hint: String {
        switch self {
        case .unusableFolder(let path): "look what it is, and remove it: rm -r \(path)"
        case .unwritable: "check the folder's permissions and its disk"
        }
    }
}
