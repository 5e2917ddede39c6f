import Foundation
import Synchronization

/// An HTTP server of the loopback interface, for tests, with the faults that servers have.
public final class TestServer: Sendable {
    /// What is served under one path.
    public struct File: Sendable {
        public var bytes: [UInt8]
        /// Answered in place of the file, if not 200.
        public var status = 200
        /// The path that the client is sent to.
        public var location: String?
        /// Whether a request for the rest of the file gets the rest, and not all of it.
        public var understandsRanges = true
        /// Whether the length is told before the file.
        public var tellsLength = true
        /// Connections that break off, each after so many bytes.
        public var breaks: [Int] = []
        /// After so many bytes nothing more comes until the client is gone.
        public var stallsAfter: Int?

        public init(_ bytes: [UInt8]) { self.bytes = bytes }
    }

    public struct Request: Sendable {
        public var path: String
        /// The first byte that was asked for, if it was not all.
        public var rangeStart: Int?
    }

    private struct State {
        var files: [String: File] = [:]
        var requests: [Request] = []
    }

    private let state = Mutex(State())
    private let listener: Int32
    public let port: Int

    public init() {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        precondition(isListening, "the test server cannot listen: \(errno)")
        port = Int(UInt16(bigEndian: address.sin_port))
        signal(SIGPIPE, SIG_IGN)
        Thread.detachNewThread { [weak self] in
            // Closed here and not by `deinit`: its number would soon be another server's, whose
            // connections this thread would take.
            defer { close(descriptor) }
            while true {
                let client = accept(descriptor, nil, nil)
                if client < 0 && errno == EINTR { continue }
                guard client >= 0 else { return }
                Thread.detachNewThread { [weak self] in
                    self?.answer(client)
                    close(client)
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
    }

    public var address: String { "http://127.0.0.1:\(port)/" }

    public func serve(_ file: File, as path: String) { state.withLock { $0.files[path] = file } }

    /// Those that came, in order.
    public var requests: [Request] { state.withLock { $0.requests } }

    private func answer(_ client: Int32) {
        guard let request = readRequest(client) else { return }
        var file = state.withLock { state in
            state.requests.append(request)
            let file = state.files[request.path]
            if file?.breaks.isEmpty == false { state.files[request.path]!.breaks.removeFirst() }
            return file
        }
        if file == nil {
            file = File(Array("not here".utf8))
            file!.status = 404
        }
        answer(request, with: file!, client)
    }

    private func answer(_ request: Request, with file: File, _ client: Int32) {
        var status = file.status
        var header: [String] = []
        var body = file.bytes[...]
        if let start = request.rangeStart, status == 200, file.understandsRanges {
            if start < body.count {
                status = 206
                body = body[start...]
                header.append(
                    "Content-Range: bytes \(start)-\(file.bytes.count - 1)/\(file.bytes.count)")
            } else {
                status = 416
                body = []
            }
        }
        if let location = file.location { header.append("Location: \(location)") }
        if file.tellsLength { header.append("Content-Length: \(body.count)") }
        header.insert("HTTP/1.1 \(status) Status", at: 0)
        header.append("Connection: close\r\n\r\n")
        send(Array(header.joined(separator: "\r\n").utf8)[...], to: client)
        let limit = file.breaks.first ?? file.stallsAfter ?? body.count
        send(body.prefix(limit), to: client)
        if file.breaks.isEmpty, file.stallsAfter != nil {
            // Until the client goes.
            var byte: UInt8 = 0
            while recv(client, &byte, 1, 0) > 0 {}
        }
    }

    private func readRequest(_ client: Int32) -> Request? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while !bytes.suffix(4).elementsEqual([13, 10, 13, 10]) {
            guard bytes.count < 65_536, recv(client, &byte, 1, 0) == 1 else { return nil }
            bytes.append(byte)
        }
        let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count == 3 else { return nil }
        let range = lines.first { $0.lowercased().hasPrefix("range: bytes=") }
        let start = range?.split(separator: "=").last?.split(separator: "-").first
        return Request(path: String(words[1]), rangeStart: start.flatMap { Int($0) })
    }

    private func send(_ bytes: ArraySlice<UInt8>, to client: Int32) {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let count = write(client, buffer.baseAddress! + offset, buffer.count - offset)
                guard count > 0 else { return }
                offset += count
            }
        }
    }
}
