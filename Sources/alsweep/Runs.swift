import Foundation
import Journal
import SweepModel

/// Finds and makes runs' folders.
struct Runs {
    /// The folder that holds all runs.
    let root: String

    /// The newest run that a sweep file goes on with: one of exactly this file, or else one that the
    /// file has all trials of and adds some to.
    ///
    /// - Parameter isWanted: whether a run will do otherwise.
    /// - Throws: what is wrong with the newest run, or with one of this file, if it cannot be read: it is
    ///   not passed over in silence.
    func latest(
        of sweep: Sweep, text: String, where isWanted: (RunOfSweep) -> Bool = { _ in true }
    ) throws -> RunOfSweep? {
        var runs: [RunOfSweep] = []
        let folders = folders(of: sweep)
        for folder in folders {
            do {
                runs.append(try RunOfSweep(folder, sweep, text: text))
            } catch is NoExtension {
                continue
            } catch {
                let isMeant = folder == folders[0] || folder.sweepText == text
                if isMeant { throw error }
            }
        }
        runs.removeAll { !isWanted($0) }
        return runs.first { !$0.isExtended } ?? runs.first
    }

    /// Why the newest run of the sweep's name does not go on with a file; nil if nothing in the file is
    /// against it, or there is no run.
    func obstacle(to sweep: Sweep, text: String) -> String? {
        guard let newest = folders(of: sweep).first else { return nil }
        do {
            _ = try RunOfSweep(newest, sweep, text: text)
            return nil
        } catch {
            return "\(newest.path) does not go on with this file: \(error)"
        }
    }

    /// The runs of a sweep's name, the newest first.
    private func folders(of sweep: Sweep) -> [RunFolder] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        // A copy under another name is not the run.
        let ofSweep = names.filter { name in
            name.hasPrefix(sweep.name + "-")
                && name.dropFirst(sweep.name.count + 1).wholeMatch(of: /\d{8}-\d{6}(-\d+)?/) != nil
        }
        return ofSweep.sorted().reversed().map { RunFolder("\(root)/\($0)") }
    }

    /// A new run's folder, named by the sweep and the time.
    func make(_ sweep: Sweep, text: String) throws(CommandFailure) -> RunFolder {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyyMMdd-HHmmss"
        let stem = "\(root)/\(sweep.name)-\(formatter.string(from: Date()))"
        for suffix in [""] + (2...99).map({ "-\($0)" }) {
            let folder = RunFolder(stem + suffix)
            guard !FileManager.default.fileExists(atPath: folder.path) else { continue }
            do {
                for subfolder in folder.subfolders { try makeFolder(subfolder) }
                try writeText(text, to: folder.sweep)
            } catch {
                throw CommandFailure(
                    error.message, hint: "choose another place with --runs, or free some space")
            }
            return folder
        }
        throw CommandFailure("there are too many runs named \(stem)")
    }

    /// A run that the user named by its folder, or the newest of all if it named none.
    static func find(_ path: String?, root: String) throws(CommandFailure) -> RunFolder {
        if let path {
            let folder = RunFolder(typed: path)
            guard FileManager.default.fileExists(atPath: folder.journal) else {
                let hint = "a run's folder holds journal.sqlite; `ls \(root)` shows the runs here"
                throw CommandFailure("\(path) is not a run's folder", hint: hint)
            }
            return folder
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let folders = names.map { RunFolder("\(root)/\($0)") }.filter {
            FileManager.default.fileExists(atPath: $0.journal)
        }
        func changed(_ folder: RunFolder) -> Date {
            let attributes = try? FileManager.default.attributesOfItem(atPath: folder.journal)
            return attributes?[.modificationDate] as? Date ?? .distantPast
        }
        guard let newest = folders.max(by: { changed($0) < changed($1) }) else {
            throw CommandFailure(
                "there is no run in \(root)", hint: "start one: alsweep launch sweeps/quick.yaml")
        }
        return newest
    }
}

/// A sweep file in the place of the one that a run began with.
struct RunOfSweep {
    let folder: RunFolder
    /// The file.
    let text: String
    /// What the run began with; nil if it did not begin yet.
    let submission: SweepSubmitted?
    /// As the run computes it, without the seeds that were added to it.
    let sweep: Sweep
    /// The sweep as the run has it until now; nil if it did not begin yet.
    let begun: Sweep?
    let history: RunHistory

    /// Whether the file says something else than the run has until now.
    var isExtended: Bool { begun.map { $0 != sweep } ?? false }

    /// How many trials the file adds to those of the run.
    var addedTrialCount: Int {
        guard let begun, isExtended else { return 0 }
        let seedCount = history.addedSeeds.count
        return sweep.extended(bySeeds: seedCount).trialCount
            - begun.extended(bySeeds: seedCount).trialCount
    }

    /// - Throws: `NoExtension` if the run cannot go on with this file.
    init(_ folder: RunFolder, _ sweep: Sweep, text: String) throws {
        self.folder = folder
        self.text = text
        history =
            FileManager.default.fileExists(atPath: folder.journal)
            ? try Journal.read(at: folder.journal).history(.withoutPicks) : RunHistory()
        submission = history.submission
        guard let submission else {
            guard folder.sweepText == text else {
                throw NoExtension("it was never started, and has another file")
            }
            begun = nil
            self.sweep = sweep
            return
        }
        let before = try SweepFile.parse(submission.text, name: folder.sweep)
            .submitted(as: submission)
        let now = sweep.submitted(as: submission)
        if submission.text != text { try now.checkExtension(of: before, choices: history.choices) }
        begun = before
        self.sweep = now
    }
}

extension RunOfSweep {
    /// A run with the file in its own folder.
    init(_ folder: RunFolder) throws {
        let (sweep, text) = try readSweep(folder.sweep)
        do {
            self = try RunOfSweep(folder, sweep, text: text)
        } catch let error as NoExtension {
            throw CommandFailure(
                "\(folder.sweep) was changed since the run was submitted, and the run cannot go on with "
                    + "it: \(error)",
                hint:
                    "launch the changed file as a run of its own: alsweep launch \(folder.sweep) --new"
            )
        }
    }
}

extension RunFolder {
    /// The sweep file that is kept with the run; nil if there is none.
    var sweepText: String? { try? String(contentsOfFile: sweep, encoding: .utf8) }

    /// As the command line names it: completion of a shell leaves a slash at the end.
    fileprivate init(typed path: String) {
        self.init(path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path)
    }

    /// A run that the command line names where it may also name a file; nil if it names no folder.
    init?(named path: String) throws(CommandFailure) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
            isFolder.boolValue
        else { return nil }
        self.init(typed: path)
        guard FileManager.default.fileExists(atPath: sweep) else {
            throw CommandFailure(
                "\(self.path) is not a run's folder: it holds no sweep.yaml",
                hint: "give a sweep file, or a folder such as runs/quick-20260131-120000")
        }
    }
}

/// A run as its journal and its sweep file tell it.
struct RunReading {
    let folder: RunFolder
    let sweep: Sweep
    let history: RunHistory

    init(_ folder: RunFolder) throws {
        self.folder = folder
        history = try Journal.read(at: folder.journal).history(.withoutPicks)
        guard let submission = history.submission else {
            throw CommandFailure(
                "the run \(folder.path) was never started",
                hint: "start it: alsweep launch \(folder.path)")
        }
        sweep = try SweepFile.parse(submission.text, name: folder.sweep)
            .submitted(as: submission).extended(bySeeds: history.addedSeeds.count)
    }

    var record: SweepRecord { SweepRecord(history, stages: sweep.stages.map(\.name)) }
}

/// Reads a sweep file.
func readSweep(_ path: String) throws -> (sweep: Sweep, text: String) {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
        throw CommandFailure(
            "\(path) is a folder, not a sweep file", hint: "`ls sweeps` shows some")
    }
    guard let data = FileManager.default.contents(atPath: path) else {
        throw CommandFailure(
            "the sweep file \(path) cannot be read",
            hint: FileManager.default.fileExists(atPath: path)
                ? "check its permissions" : "there is no such file; `ls sweeps` shows what there is"
        )
    }
    guard let text = String(data: data, encoding: .utf8) else {
        throw CommandFailure("the sweep file \(path) is not text in UTF-8")
    }
    return (try SweepFile.parse(text, name: path), text)
}
