import Foundation
import SweepModel

/// What a launch runs.
struct LaunchTarget {
    /// Computing as it was submitted, or is to be.
    let sweep: Sweep
    /// The sweep file.
    let text: String
    /// The run that goes on with it; nil for a new run.
    let known: RunOfSweep?
    /// Why the newest run of the sweep's name is not that run, where the file is the reason.
    var obstacle: String?

    /// Keeps the file with the run, where it is another one than before.
    func write(to folder: RunFolder) throws(CommandFailure) {
        if folder.sweepText != text { try writeText(text, to: folder.sweep) }
    }
}

extension LaunchCommand {
    /// The sweep that the command line names, and the run it goes on with if there is one.
    ///
    /// - Parameter isWorkerHere: whether trials run on this machine, too.
    func findTarget(isWorkerHere: Bool) throws -> LaunchTarget {
        if let folder = try RunFolder(named: sweep) {
            let known = try RunOfSweep(folder)
            try check(known)
            return try target(known, isWorkerHere)
        }
        let (sweep, text) = try readSweep(sweep)
        let runs = Runs(root: runs)
        if !new, let known = try runs.latest(of: sweep, text: text, where: agrees) {
            return try target(known, isWorkerHere)
        }
        return LaunchTarget(
            sweep: try computing(sweep, isWorkerHere), text: text, known: nil,
            obstacle: new ? nil : runs.obstacle(to: sweep, text: text))
    }

    private func check(_ known: RunOfSweep) throws(CommandFailure) {
        guard !agrees(known) else { return }
        let computation = known.sweep.studyProtocol
        let threads = known.submission?.threads.map {
            ", with \(counted($0, "thread")) here"
        }
        throw CommandFailure(
            "the run \(known.folder.path) computes with engine \(computation.engine.rawValue) in "
                + "\(computation.precision.rawValue)\(threads ?? ""), and keeps to that",
            hint: "leave --engine, --precision and --threads out, or launch a run of its own: "
                + "alsweep launch \(known.folder.sweep) --new")
    }

    private func target(_ known: RunOfSweep, _ isWorkerHere: Bool) throws -> LaunchTarget {
        let hasBegun = known.submission != nil
        return LaunchTarget(
            sweep: hasBegun ? known.sweep : try computing(known.sweep, isWorkerHere),
            text: known.text, known: known)
    }

    /// Whether a run computes as the command line says.
    private func agrees(_ run: RunOfSweep) -> Bool {
        guard let submission = run.submission else { return true }
        let computation = run.sweep.studyProtocol
        if let engine, engine != computation.engine { return false }
        if let threads, let begun = submission.threads, threads != begun { return false }
        if case .fixed(let precision) = precision { return precision == computation.precision }
        return true
    }

    /// A new run's sweep, computing as the command line says and as this machine does best, if trials
    /// run here; nothing is known of others, and all of them compute in float32.
    private func computing(_ sweep: Sweep, _ isWorkerHere: Bool) throws -> Sweep {
        let engine = engine ?? sweep.studyProtocol.engine
        let isAutomatic =
            precision == .automatic || (precision == nil && sweep.isPrecisionAutomatic)
        let chosen =
            isAutomatic
            ? (isWorkerHere ? engine.fastestPrecision : .float32)
            : precision?.resolved(for: engine) ?? sweep.studyProtocol.precision
        guard engine.offers(chosen) else {
            throw CommandFailure(
                "engine \(engine.rawValue) does not compute in \(chosen.rawValue)",
                hint: "add --precision float32, or take --engine \(EngineName.offering(chosen))",
                status: ExitStatusCode.usage)
        }
        if isAutomatic, !quiet {
            print(
                isWorkerHere
                    ? "Precision: \(chosen.rawValue), the fastest here"
                    : "Precision: float32, which all machines compute in; no worker runs here for "
                        + "auto to look at (--precision bfloat16 if all of them can)",
                to: &StandardError.stream)
        }
        return sweep.computing(engine: engine, precision: chosen)
    }
}
