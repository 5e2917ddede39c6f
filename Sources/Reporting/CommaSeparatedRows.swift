/// Why a file of runs cannot be read.
public struct RunsFileError: Error, Hashable, Sendable, CustomStringConvertible {
    public var file: String
    /// Counted from 1.
    public var line: Int
    public var problem: String
    public var hint: String?

    public init(file: String, line: Int, problem: String, hint: String? = nil) {
        self.file = file
        self.line = line
        self.problem = problem
        self.hint = hint
    }

    public var description: String { "\(file):\(line): \(problem)" }
}

/// A row of a file and the line it starts at.
struct CommaSeparatedRow {
    var line: Int
    var fields: [String]
}

/// The rows of comma-separated values (RFC 4180); empty lines are skipped.
func commaSeparatedRows(
    _ text: String, file: String
) throws(RunsFileError) -> [CommaSeparatedRow] {
    let bytes = Array(text.utf8)
    var rows: [CommaSeparatedRow] = []
    var fields: [String] = []
    var line = 1
    var rowLine = 1
    // A byte-order mark is what spreadsheets put in front.
    var position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    func endRow() {
        if fields.count > 1 || fields.first?.isEmpty == false {
            rows.append(CommaSeparatedRow(line: rowLine, fields: fields))
        }
        fields.removeAll(keepingCapacity: true)
    }
    while position < bytes.count {
        var field: [UInt8] = []
        if bytes[position] == UInt8(ascii: "\"") {
            let opening = line
            position += 1
            while true {
                guard position < bytes.count else {
                    throw RunsFileError(
                        file: file, line: opening, problem: "a quoted field is not closed")
                }
                let byte = bytes[position]
                position += 1
                if byte == UInt8(ascii: "\"") {
                    guard position < bytes.count, bytes[position] == byte else { break }
                    position += 1
                }
                if byte == 0x0A { line += 1 }
                field.append(byte)
            }
        }
        while position < bytes.count, bytes[position] != UInt8(ascii: ","), bytes[position] != 0x0A
        {
            if bytes[position] != 0x0D { field.append(bytes[position]) }
            position += 1
        }
        fields.append(String(decoding: field, as: UTF8.self))
        let endsWithComma = position < bytes.count && bytes[position] == UInt8(ascii: ",")
        position += 1
        if endsWithComma {
            if position >= bytes.count { fields.append("") }
            continue
        }
        endRow()
        line += 1
        rowLine = line
    }
    endRow()
    return rows
}
