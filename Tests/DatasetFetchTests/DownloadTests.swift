import Foundation
import Synchronization
import TestServer
import Testing

@testable import DatasetFetch

/// A folder of its own that is removed with the value.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "datasetfetch-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func bytes(_ name: String) -> [UInt8]? {
        FileManager.default.contents(atPath: "\(path)/\(name)").map { [UInt8]($0) }
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        let url = URL(fileURLWithPath: "\(path)/\(name)")
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }
}

/// Bytes that differ from place to place.
func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ $0 >> 8) }
}

@Suite struct DownloadTests {
    let folder: TemporaryFolder
    let server = TestServer()
    private static let contents = bytes(3_000_000)
    private var contents: [UInt8] { Self.contents }

    init() throws { folder = try TemporaryFolder() }

    private func download(byteCount: Int? = nil) -> Download {
        var download = Download(
            url: server.address + "file", path: "\(folder.path)/file.part",
            byteCount: byteCount ?? contents.count)
        download.retryDelaySeconds = 0.001
        return download
    }

    private func run(_ download: Download) throws(FetchError) {
        try download.run(progress: { _ in }, shouldStop: { false })
    }

    private func serve(_ change: (inout TestServer.File) -> Void = { _ in }) {
        var file = TestServer.File(contents)
        change(&file)
        server.serve(file, as: "/file")
    }

    private var rangeStarts: [Int?] { server.requests.map(\.rangeStart) }

    @Test("a file arrives as it was sent, and progress ends with its length")
    func whole() throws {
        serve()
        let last = Mutex(0)
        try download().run(
            progress: { count in last.withLock { $0 = count } }, shouldStop: { false })
        #expect(folder.bytes("file.part") == contents)
        #expect(rangeStarts == [nil])
        #expect(last.withLock { $0 } <= contents.count)
    }

    @Test("a download that breaks off goes on where it was, by itself", arguments: [true, false])
    func brokenOff(_ tellsLength: Bool) throws {
        serve {
            $0.breaks = [1_200_000, 1_000_000, 1]
            $0.tellsLength = tellsLength
        }
        try run(download())
        #expect(folder.bytes("file.part") == contents)
        #expect(rangeStarts == [nil, 1_200_000, 2_200_000, 2_200_001])
    }

    @Test("what an earlier process left is taken up")
    func resumed() throws {
        serve()
        try folder.write(Array(contents[..<1_234_567]), to: "file.part")
        try run(download())
        #expect(folder.bytes("file.part") == contents)
        #expect(rangeStarts == [1_234_567])
        // A complete file needs no server.
        try run(download())
        #expect(server.requests.count == 1)
    }

    @Test("a server that sends only whole files is asked for all of it again")
    func withoutRanges() throws {
        serve { $0.understandsRanges = false }
        try folder.write(Array(contents[..<1_000]), to: "file.part")
        try run(download())
        #expect(folder.bytes("file.part") == contents)
        #expect(rangeStarts == [1_000, nil])
    }

    @Test("a server that breaks off and cannot go on is given up, not asked for ever")
    func hopeless() {
        serve {
            $0.understandsRanges = false
            $0.breaks = [Int](repeating: 2_000_000, count: 50)
        }
        #expect(throws: FetchError.self) { try run(download()) }
        #expect(server.requests.count < 20)
    }

    @Test("a beginning that is longer than the file is thrown away")
    func tooLongBeginning() throws {
        serve()
        try folder.write(contents + [1], to: "file.part")
        try run(download())
        #expect(folder.bytes("file.part") == contents)
    }

    @Test("a file of another length is refused before it is downloaded", arguments: [-1, 1])
    func wrongLength(_ difference: Int) {
        serve()
        let expected = contents.count + difference
        #expect(
            throws: FetchError.wrongLength(
                url: server.address + "file", expected: expected, found: contents.count)
        ) { try run(download(byteCount: expected)) }
        #expect(folder.bytes("file.part") == [])
    }

    @Test("a file that turns out longer is refused, though no length was told")
    func longer() {
        serve { $0.tellsLength = false }
        let error = #expect(throws: FetchError.self) { try run(download(byteCount: 2_000_000)) }
        guard case .wrongLength(_, 2_000_000, let found) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(found > 2_000_000)
        #expect(folder.bytes("file.part")!.count <= 2_000_000)
    }

    @Test("what is not there, and what is forbidden, is told at once", arguments: [404, 403, 410])
    func refused(_ status: Int) {
        serve { $0.status = status }
        let error = FetchError.refused(url: server.address + "file", status: status)
        #expect(throws: error) { try run(download()) }
        #expect(server.requests.count == 1)
        #expect(error.description.contains(String(status)) && error.hint.contains("--mirror"))
    }

    @Test("an overloaded server is asked again, but not for ever")
    func overloaded() {
        serve { $0.status = 503 }
        #expect(throws: FetchError.refused(url: server.address + "file", status: 503)) {
            try run(download())
        }
        #expect(server.requests.count == Download.maximumFailures)
    }

    @Test("redirections are followed, but not in circles, nor to files")
    func redirected() throws {
        serve {
            $0.status = 302
            $0.location = "/elsewhere"
        }
        server.serve(TestServer.File(contents), as: "/elsewhere")
        try folder.write(Array(contents[..<500]), to: "file.part")
        try run(download())
        #expect(folder.bytes("file.part") == contents)
        #expect(server.requests.map(\.path) == ["/file", "/elsewhere"])

        for target in ["/file", "file:///etc/passwd"] {
            serve {
                $0.status = 302
                $0.location = target
            }
            try folder.write([], to: "file.part")
            #expect(throws: FetchError.self) { try run(download()) }
            #expect(folder.bytes("file.part") == [])
        }
    }

    @Test("a server that is not there is told with libcurl's reason")
    func unreachable() throws {
        let port = TestServer().port
        let nowhere = Download(
            url: "http://127.0.0.1:\(port)/file", path: "\(folder.path)/file.part", byteCount: 5)
        let error = #expect(throws: FetchError.self) { try run(nowhere) }
        guard case .unreachable(_, let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("onnect"), "\(reason)")
    }

    @Test("a stop is heeded while nothing comes, and keeps what has arrived")
    func stopped() throws {
        serve { $0.stallsAfter = 1_500_000 }
        let arrived = Mutex(0)
        #expect(throws: FetchError.stopped) {
            try download().run(
                progress: { count in arrived.withLock { $0 = count } },
                shouldStop: { arrived.withLock { $0 } == 1_500_000 })
        }
        #expect(folder.bytes("file.part") == Array(contents[..<1_500_000]))
        serve()
        try run(download())
        #expect(folder.bytes("file.part") == contents)
        #expect(rangeStarts == [nil, 1_500_000])
    }

    @Test("a folder that cannot be written is named")
    func storage() throws {
        serve()
        try folder.write([], to: "file")
        let path = "\(folder.path)/file/part"
        let download = Download(url: server.address + "file", path: path, byteCount: 5)
        #expect(throws: FetchError.storage(path: path, code: ENOTDIR)) { try run(download) }
    }
}
