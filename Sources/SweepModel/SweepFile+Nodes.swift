import Yams

/// A YAML file whose every mistake is told with line, column and the nearest valid word.
package protocol CheckedYAMLFile {
    /// Its path, for messages.
    var name: String { get }
}

/// A YAML mapping whose keys are known words, each at most once.
package struct YAMLMapping {
    private let fields: [(key: String, value: Node)]
    private let node: Node
    private let what: String
    private let file: any CheckedYAMLFile

    package init(
        _ node: Node, what: String, keys: [String], file: any CheckedYAMLFile
    ) throws(SweepFileError) {
        guard let mapping = node.mapping else {
            throw file.error("\(what) is a mapping with the keys \(listed(keys))", at: node)
        }
        var fields: [(key: String, value: Node)] = []
        for (keyNode, value) in mapping {
            let key = try file.word(keyNode, what: "a key")
            guard keys.contains(key) else {
                throw file.unknown("key", key, among: keys, at: keyNode)
            }
            guard !fields.contains(where: { $0.key == key }) else {
                throw file.error("key '\(key)' stands twice", at: keyNode)
            }
            fields.append((key, value))
        }
        self.fields = fields
        self.node = node
        self.what = what
        self.file = file
    }

    package subscript(key: String) -> Node? { fields.first { $0.key == key }?.value }

    package func required(_ key: String) throws(SweepFileError) -> Node {
        guard let value = self[key] else {
            throw file.error("\(what) lacks the key '\(key)'", at: node)
        }
        return value
    }
}

extension Node {
    /// A scalar's text, for messages.
    package var text: String { scalar?.string ?? (mapping != nil ? "a mapping" : "a list") }
}

extension CheckedYAMLFile {
    /// The file's tree.
    ///
    /// - Parameter example: a file to look at, for the hint where this one is empty.
    package func compose(_ text: String, example: String) throws(SweepFileError) -> Node {
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw SweepFileError(
                file: name, line: error.line, column: nil,
                message: "is not valid YAML: \(error.text)",
                hint: "check indentation, brackets and quotes near that line")
        } catch {
            throw SweepFileError(file: name, message: "is not valid YAML: \(error)")
        }
        guard let node else {
            throw SweepFileError(
                file: name, message: "is empty", hint: "\(example) is an example")
        }
        return node
    }

    package func error(_ message: String, at node: Node?, hint: String? = nil) -> SweepFileError {
        let mark = node?.mark
        return SweepFileError(
            file: name, line: mark?.line, column: mark?.column, message: message, hint: hint)
    }

    package func unknown(_ what: String, _ word: String, among words: [String], at node: Node)
        -> SweepFileError
    {
        let nearest = nearestWord(to: word, among: words)
        return error(
            "unknown \(what) '\(word)'" + (nearest.map { " (did you mean '\($0)'?)" } ?? ""),
            at: node,
            hint: words.isEmpty ? "there is none before this one" : "possible: \(listed(words))")
    }

    package func word(_ node: Node, what: String) throws(SweepFileError) -> String {
        guard let scalar = node.scalar, !scalar.string.isEmpty else {
            throw error(
                "\(what) is one word, not \(node.text.isEmpty ? "empty" : node.text)", at: node)
        }
        return scalar.string
    }

    package func choice<Choice: RawRepresentable & CaseIterable>(
        _ node: Node, of type: Choice.Type, what: String
    ) throws(SweepFileError) -> Choice where Choice.RawValue == String {
        let text = try word(node, what: "a \(what)")
        guard let value = Choice(rawValue: text) else {
            throw unknown(what, text, among: Choice.allCases.map(\.rawValue), at: node)
        }
        return value
    }

    package func integer(
        _ node: Node, what: String, in range: ClosedRange<Int>
    ) throws(SweepFileError) -> Int {
        guard let value = node.scalar.flatMap({ Int($0.string) }), range.contains(value) else {
            throw error(
                "\(what) is '\(node.text)'; it is a whole number from \(range.lowerBound) to "
                    + "\(range.upperBound)", at: node)
        }
        return value
    }

    package func number(
        _ node: Node, what: String, in range: ClosedRange<Double>
    ) throws(SweepFileError) -> Double {
        guard let value = node.scalar.flatMap({ Double($0.string) }), range.contains(value) else {
            throw error(
                "\(what) is '\(node.text)'; it is a number from \(range.lowerBound) to "
                    + "\(range.upperBound)", at: node)
        }
        return value
    }

    package func sequence(
        _ node: Node, what: String, isEmptyAllowed: Bool = false, without: String = "trial"
    ) throws(SweepFileError) -> [Node] {
        guard let sequence = node.sequence else {
            throw error("\(what) is a list, as in [a, b]; this is '\(node.text)'", at: node)
        }
        guard isEmptyAllowed || !sequence.isEmpty else {
            throw error("\(what) is empty: there would be no \(without)", at: node)
        }
        return Array(sequence)
    }

    /// A list of values of which none stands twice.
    package func unique<Value: Hashable>(
        _ node: Node, what: String, _ value: (Node) throws(SweepFileError) -> Value
    ) throws(SweepFileError) -> [Value] {
        var values: [Value] = []
        for item in try sequence(node, what: what) {
            let value = try value(item)
            guard !values.contains(value) else {
                throw error(
                    "\(what) has '\(item.text)' twice: its trials would be the same", at: item)
            }
            values.append(value)
        }
        return values
    }
}

private func listed(_ words: [String]) -> String { words.joined(separator: ", ") }

extension YamlError {
    /// The line counted from 1, where the parser knows it.
    var line: Int? {
        switch self {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
            mark.line
        case .duplicatedKeysInMapping(_, let context): context.mark.line
        default: nil
        }
    }

    var text: String {
        switch self {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _),
            .composer(_, let problem, _, _):
            problem
        case .duplicatedKeysInMapping(let keys, _): "a key stands twice: \(keys)"
        default: "\(self)"
        }
    }
}
