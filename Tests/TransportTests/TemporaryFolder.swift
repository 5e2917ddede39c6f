import Foundation

/// A folder of its own for one test, deleted after it.
struct TemporaryFolder: ~Copyable {
    private let url: URL

    init() throws {
        // Short, because the path of a socket may have 107 bytes only.
        url = FileManager.default.temporaryDirectory.appending(
            path: "alsweep-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    }

    func path(_ name: String) -> String {
        url.appending(path: name).path
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }
}
