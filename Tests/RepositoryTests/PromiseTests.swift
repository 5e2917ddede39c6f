import Foundation
import Testing

/// The names of tests in Swift source text.
func testNames(in source: String) -> Set<String> {
    Set(source.matches(of: /@Test\(\s*"([^"\\]*)"/).map { String($0.1) })
}

/// The tests that a table of promises names, row by row.
func namedTests(in table: String) -> [(promise: String, tests: [String])] {
    table.split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst().map { row in
        let cells = row.split(separator: "|")
        let tests = cells.last { $0.contains(/\S/) } ?? ""
        return (
            String(cells[0]), tests.matches(of: /"([^"]*)"/).map { String($0.1) }
        )
    }
}

@Test("every promise names its tests, and they exist")
func promisesAreTested() throws {
    var names: Set<String> = []
    let folder = repository.appendingPathComponent("Tests")
    let files = try #require(
        FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
    for case let file as URL in files where file.pathExtension == "swift" {
        names.formUnion(testNames(in: try String(contentsOf: file, encoding: .utf8)))
    }
    let table = try String(
        contentsOf: repository.appendingPathComponent("docs/promises.md"), encoding: .utf8)
    let rows = namedTests(in: table)
    #expect(rows.count > 10)
    for (promise, tests) in rows {
        #expect(!tests.isEmpty, "docs/promises.md: no test for '\(promise)'")
        for test in tests where !names.contains(test) {
            Issue.record(
                """
                docs/promises.md names the test "\(test)", which does not exist: name the one that \
                proves '\(promise)', or write it
                """)
        }
    }
}

@Test("the check of promises finds a name that no test has")
func promiseCheckCanFail() {
    #expect(testNames(in: "@Test(\n    \"a b\", arguments: [1])\nfunc c() {}") == ["a b"])
    let rows = namedTests(in: "| promise | tests |\n|---|---|\n| x | real: \"a b\", \"c\" |\n")
    #expect(rows.count == 1 && rows[0].tests == ["a b", "c"])
}

/// A promise broken on purpose, as `Tests/Promises/break.py` does it.
private struct Breakage: Decodable {
    struct Edit: Decodable {
        var file: String
        var old: [String]
        var new: [String]
    }

    /// How the promise's row begins.
    var promise: String
    /// Those of the row's tests that must fail; nil is all.
    var tests: [String]?
    var edits: [Edit]
}

@Test("every promise has a breakage that its tests must notice, and its text is in the sources")
func promisesCanBeBroken() throws {
    func text(_ path: String) throws -> String {
        try String(contentsOf: repository.appendingPathComponent(path), encoding: .utf8)
    }
    let list = "Tests/Promises/breakages.json"
    let breakages = try JSONDecoder().decode([Breakage].self, from: Data(try text(list).utf8))
    for breakage in breakages {
        for edit in breakage.edits {
            let old = edit.old.joined(separator: "\n")
            let count = try text(edit.file).components(separatedBy: old).count - 1
            #expect(
                count == 1 && edit.old != edit.new,
                """
                \(edit.file) has \(count) times, not once, what \(list) breaks of \
                '\(breakage.promise)': bring it up to the sources, and run \
                Tests/Promises/break.py --only '\(breakage.promise)'
                \(old)
                """)
        }
    }
    for (promise, tests) in namedTests(in: try text("docs/promises.md")) {
        let meant = breakages.filter {
            promise.trimmingCharacters(in: .whitespaces).hasPrefix($0.promise)
        }
        let noticing = Set(meant.flatMap { $0.tests ?? tests })
        #expect(
            noticing == Set(tests),
            "\(list): each test of '\(promise)', and no other, must notice a breakage of it")
    }
}
