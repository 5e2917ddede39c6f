import ActiveLearning
import ChildProcess
import Classifier
import DatasetFetch
import Datasets
import Foundation
import GPUs
import Journal
import Launchers
import Reporting
import SweepModel
import Transport

/// What a command tells its user when it cannot go on: what failed, and what to do.
struct CommandFailure: Error {
    var message: String
    var hint: String?
    var status = ExitStatusCode.failed

    init(_ message: String, hint: String? = nil, status: Int32 = ExitStatusCode.failed) {
        self.message = message
        self.hint = hint
        self.status = status
    }

    init(explaining error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as SweepFileError: self.init(error.description, hint: error.hint)
        case let error as TransportError: self.init(error.description, hint: error.hint)
        case let error as JournalError: self.init(error.description, hint: error.hint)
        case let error as DatasetError: self.init(error.description, hint: error.hint)
        case let error as FetchError: self.init(error.description, hint: error.hint)
        case let error as ExperimentError: self.init(error.description, hint: error.hint)
        case let error as CheckpointError: self.init(error.description, hint: error.hint)
        case let error as GPUError: self.init(error.description, hint: error.hint)
        case let error as LauncherError: self.init(error.description, hint: error.hint)
        case let error as RefusedCommand: self.init(error.description, hint: error.hint)
        case let error as RunsFileError: self.init(error.description, hint: error.hint)
        case let error as RunInUse:
            switch error {
            case .held(let folder, _):
                self.init(
                    error.description,
                    hint: "wait for it, stop it with Ctrl-C, or watch it with `alsweep status "
                        + "\(folder)`")
            case .unusable:
                self.init(error.description, hint: "check the folder's permissions and its disk")
            }
        case let error as any CustomStringConvertible: self.init(error.description)
        default: self.init(error.localizedDescription)
        }
    }

    func printToStandardError() {
        print("error: \(message)", to: &StandardError.stream)
        if let hint { print("hint: \(hint)", to: &StandardError.stream) }
    }
}
