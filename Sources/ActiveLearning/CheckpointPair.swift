import Foundation
import SweepModel

/// A trial's checkpoint, with the one of the cycle before behind it: a disk may damage what was written
/// to it, and then one cycle is done again, and not all of them.
public struct CheckpointPair: Sendable {
    public let path: String
    /// Of the cycle before.
    public var earlierPath: String { path + ".before" }
    private var damagedPath: String { path + ".damaged" }

    public init(_ path: String) { self.path = path }

    /// Saves the newer one; what it replaces becomes the earlier one.
    public func write(_ checkpoint: ExperimentCheckpoint) throws(CheckpointError) {
        keepEarlier()
        try checkpoint.write(to: path)
    }

    /// Gives the file another name, too, so that at every moment there is one under its own. A file
    /// system without such names keeps none.
    public func keepEarlier() {
        let new = "\(earlierPath).\(getpid()).partial"
        unlink(new)
        guard link(path, new) == 0, rename(new, earlierPath) != 0 else { return }
        unlink(new)
    }

    /// What came of taking up a trial.
    public struct Found {
        /// The newest that is whole; nil if none is.
        public let checkpoint: ExperimentCheckpoint?
        /// Why the newer ones are not.
        public let errors: [CheckpointError]
    }

    /// Reads the newest that is whole. A newer one that is not is put aside, so that it does not take
    /// the place of the earlier one later.
    ///
    /// - Parameter switchingEngine: as in `ExperimentCheckpoint`.
    public func read(
        for configuration: TrialConfiguration, switchingEngine: Bool = false
    ) -> Found {
        var errors: [CheckpointError] = []
        for place in [path, earlierPath] where FileManager.default.fileExists(atPath: place) {
            do throws(CheckpointError) {
                let checkpoint = try ExperimentCheckpoint(
                    contentsOf: place, for: configuration, switchingEngine: switchingEngine)
                if place == earlierPath, !errors.isEmpty { rename(path, damagedPath) }
                return Found(checkpoint: checkpoint, errors: errors)
            } catch {
                errors.append(error)
            }
        }
        return Found(checkpoint: nil, errors: errors)
    }

    /// The newest that is as it was once written, whatever trial it is of; nil if none is.
    public var newestWhole: String? {
        [path, earlierPath].first(where: ExperimentCheckpoint.isWhole)
    }

    /// Of a trial that is finished.
    public func removeEarlier() { unlink(earlierPath) }
}
