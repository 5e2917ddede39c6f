import ChildProcess
import Classifier
import Foundation

/// What OpenBLAS and oneDNN read from the environment, once, when they are loaded.
enum LibraryEnvironment {
    static func variables(threads: Int) -> [(name: String, value: String)] {
        let counts = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"].map { ($0, String(threads)) }
        let coreType = OpenBLASKernels.betterCoreType.map { [("OPENBLAS_CORETYPE", $0)] }
        return counts + (coreType ?? [])
    }

    /// Starts this program again with the variables in its environment, if they are not there yet.
    static func restart(threads: Int?) throws {
        let count = threads ?? ProcessInfo.processInfo.activeProcessorCount
        guard (1...1_024).contains(count) else {
            throw CommandFailure(
                "--threads is \(count); it is a number from 1 to 1024",
                status: ExitStatusCode.usage)
        }
        let wanted = variables(threads: count)
        let environment = ProcessInfo.processInfo.environment
        guard wanted.contains(where: { environment[$0.name] != $0.value }) else { return }
        for (name, value) in wanted { setenv(name, value, 1) }
        var arguments = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        execv(ChildProcess.ownProgram(), arguments)
        throw CommandFailure("the program cannot start itself again")
    }
}
