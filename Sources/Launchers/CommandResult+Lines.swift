import ChildProcess
import Foundation

extension CommandResult {
    /// The values of the lines that a script of ours wrote: `alsweep:NAME VALUE`.
    func values(_ name: String) -> [String] {
        output.split(separator: "\n").compactMap { line in
            let prefix = "alsweep:\(name) "
            return line.hasPrefix(prefix) ? String(line.dropFirst(prefix.count)) : nil
        }
    }

    /// The last line that says something, as an explanation.
    var lastLine: String {
        let lines = output.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("alsweep:") }
        let text = lines.last.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
        if !text.isEmpty { return text }
        return status.map { "it ended with status \($0)" } ?? "it did not answer in time"
    }
}
