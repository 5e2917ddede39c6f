/// A text as one word of a POSIX shell.
public func shellWord(_ text: String) -> String {
    let isPlain =
        !text.isEmpty
        && text.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII
                && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                    || "-_./:@%+=,".unicodeScalars.contains(scalar))
        }
    if isPlain { return text }
    return "'"
        + text.split(separator: "'", omittingEmptySubsequences: false)
        .joined(separator: "'\\''") + "'"
}

/// A path as one word of a shell, in which `~/` is the home folder of the machine it runs on.
func shellPath(_ path: String) -> String {
    if path == "~" { return "\"$HOME\"" }
    guard path.hasPrefix("~/") else { return shellWord(path) }
    return "\"$HOME\"/" + shellWord(String(path.dropFirst(2)))
}

/// The words of a command as a person would type it.
func shellLine(_ words: [String]) -> String { words.map(shellWord).joined(separator: " ") }

extension WorkerSetup {
    /// Where workers keep their files on the machine that a script runs on.
    var scratchFolder: String {
        scratch.map(shellPath) ?? "\"${XDG_STATE_HOME:-$HOME/.local/state}\"/alsweep"
    }

    /// `NAME=value` of the environment, in front of a command.
    var assignments: String {
        environment.map { "\($0.name)=\(shellPath($0.value)) " }.joined()
    }

    /// The options of `alsweep worker` that the group decides, as words of a shell.
    func options(slots: Int?) -> String {
        var words: [String] = []
        if let gpus {
            words += gpus.options
        } else if let slots = slots ?? self.slots {
            words += ["--slots", String(slots)]
        }
        words += ["--threads", String(threads)]
        if let data { words += ["--data", shellPath(data)] }
        if let scratch { words += ["--scratch", shellPath(scratch)] }
        return words.joined(separator: " ")
    }
}

/// The line that starts a worker by hand.
public struct WorkerLine {
    public let text: String

    public init(_ setup: WorkerSetup, _ sweep: LaunchedSweep) {
        let certificate = sweep.certificatePath.map { " --certificate " + shellWord($0) } ?? ""
        text =
            "\(setup.assignments)alsweep worker --connect \(shellWord(sweep.endpoint)) "
            + setup.options(slots: nil) + certificate
    }
}
