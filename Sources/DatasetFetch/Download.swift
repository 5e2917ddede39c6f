import CCurl
import Glibc

/// Downloads one file of known length over HTTP, taking up what an earlier download left.
///
/// libcurl follows redirections to HTTP and HTTPS, and heeds `https_proxy` and `no_proxy`.
struct Download {
    let url: String
    /// Where it goes while it is not complete; what lies there is its beginning.
    let path: String
    let byteCount: Int

    /// Connections that may fail one after another without bringing a mebibyte.
    static let maximumFailures = 5
    /// Before the second try; it doubles with every further one.
    var retryDelaySeconds = 1.0

    /// Beginnings from the first byte, because the server could not go on.
    static let maximumRestarts = 2

    private static let progressByteCount = 1 << 20

    /// - Parameters:
    ///   - progress: gets the bytes that are there, a few times a second.
    ///   - shouldStop: asked at least once a second.
    func run(
        progress: @escaping (Int) -> Void, shouldStop: @escaping () -> Bool
    ) throws(FetchError) {
        let file = try PartFile(path)
        // A longer file is of something else.
        if file.byteCount > byteCount { try file.clear() }
        var failures = 0
        var restarts = 0
        while file.byteCount < byteCount {
            let start = file.byteCount
            let transfer = Transfer(
                url: url, file: file, byteCount: byteCount, progress: progress,
                shouldStop: shouldStop)
            switch transfer.run() {
            case .done: break
            case .failed(let error): throw error
            case .cannotResume:
                restarts += 1
                guard restarts <= Self.maximumRestarts else {
                    throw .unreachable(url: url, reason: "the server does not send the rest of it")
                }
                try file.clear()
            case .brokeOff(let error):
                if file.byteCount - start >= Self.progressByteCount { failures = 0 }
                failures += 1
                guard failures < Self.maximumFailures else { throw error }
                try pause(afterFailure: failures, shouldStop)
            }
        }
        try file.synchronize()
    }

    private func pause(afterFailure failure: Int, _ shouldStop: () -> Bool) throws(FetchError) {
        let stepSeconds = 0.1
        var remaining = retryDelaySeconds * Double(1 << (failure - 1))
        while remaining > 0 {
            if shouldStop() { throw .stopped }
            usleep(UInt32(min(stepSeconds, remaining) * 1e6))
            remaining -= stepSeconds
        }
    }
}

/// One connection.
private final class Transfer {
    enum Outcome {
        /// The server has sent all that it wanted to.
        case done
        case failed(FetchError)
        /// Another connection may bring the rest.
        case brokeOff(FetchError)
        /// The server sends the file from its beginning only.
        case cannotResume
    }

    private let url: String
    private let file: PartFile
    private let start: Int
    private let byteCount: Int
    private let progress: (Int) -> Void
    private let shouldStop: () -> Bool

    private let handle: OpaqueHandle
    /// Why our own code ended the transfer.
    private var ownError: FetchError?
    private var errorText = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))

    private static let connectTimeoutSeconds = 30
    /// A connection slower than this for as long is given up.
    private static let slowestBytesPerSecond = 100
    private static let slowSeconds = 60
    private static let maximumRedirections = 10

    init(
        url: String, file: PartFile, byteCount: Int, progress: @escaping (Int) -> Void,
        shouldStop: @escaping () -> Bool
    ) {
        self.url = url
        start = file.byteCount
        self.file = file
        self.byteCount = byteCount
        self.progress = progress
        self.shouldStop = shouldStop
        handle = OpaqueHandle()
    }

    func run() -> Outcome {
        if shouldStop() { return .failed(.stopped) }
        configure()
        let status = errorText.withUnsafeMutableBufferPointer { buffer in
            alsweep_curl_set_error_buffer(handle.curl, buffer.baseAddress!)
            let status = curl_easy_perform(handle.curl)
            alsweep_curl_set_error_buffer(handle.curl, nil)
            return status
        }
        if let ownError { return .failed(ownError) }
        return outcome(status)
    }

    private func configure() {
        let curl = handle.curl
        alsweep_curl_set_text(curl, CURLOPT_URL, url)
        alsweep_curl_set_text(curl, CURLOPT_USERAGENT, "alsweep")
        alsweep_curl_set_text(curl, CURLOPT_PROTOCOLS_STR, "http,https")
        alsweep_curl_set_text(
            curl, CURLOPT_REDIR_PROTOCOLS_STR, url.hasPrefix("https:") ? "https" : "http,https")
        alsweep_curl_set_long(curl, CURLOPT_FOLLOWLOCATION, 1)
        alsweep_curl_set_long(curl, CURLOPT_MAXREDIRS, Self.maximumRedirections)
        alsweep_curl_set_long(curl, CURLOPT_FAILONERROR, 1)
        alsweep_curl_set_long(curl, CURLOPT_NOSIGNAL, 1)
        alsweep_curl_set_long(curl, CURLOPT_CONNECTTIMEOUT, Self.connectTimeoutSeconds)
        alsweep_curl_set_long(curl, CURLOPT_LOW_SPEED_LIMIT, Self.slowestBytesPerSecond)
        alsweep_curl_set_long(curl, CURLOPT_LOW_SPEED_TIME, Self.slowSeconds)
        if start > 0 { alsweep_curl_set_offset(curl, CURLOPT_RESUME_FROM_LARGE, start) }
        let context = Unmanaged.passUnretained(self).toOpaque()
        alsweep_curl_on_bytes(
            curl,
            { bytes, size, count, context in
                let transfer = Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
                let received = UnsafeRawBufferPointer(start: bytes, count: size * count)
                // libcurl ends a transfer whose receiver takes fewer bytes than it got.
                return transfer.receive(received) ? received.count : 0
            }, context)
        alsweep_curl_on_progress(
            curl,
            { context, _, _, _, _ in
                let transfer = Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
                return transfer.checkStop() ? 1 : 0
            }, context)
    }

    /// - Returns: whether the transfer may go on.
    private func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offered: curl_off_t = -1
        alsweep_curl_get_offset(handle.curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &offered)
        let announced = offered >= 0 ? start + Int(offered) : byteCount
        let arrived = file.byteCount + bytes.count
        guard announced == byteCount, arrived <= byteCount else {
            ownError = .wrongLength(
                url: url, expected: byteCount, found: announced == byteCount ? arrived : announced)
            return false
        }
        do {
            try file.append(bytes)
        } catch {
            ownError = error
            return false
        }
        return true
    }

    private func checkStop() -> Bool {
        progress(file.byteCount)
        guard shouldStop() else { return false }
        ownError = .stopped
        return true
    }

    private func outcome(_ status: CURLcode) -> Outcome {
        switch status {
        case CURLE_OK:
            // Without a length in the header only the count tells that something is missing.
            return file.byteCount == byteCount
                ? .done
                : .brokeOff(
                    .wrongLength(url: url, expected: byteCount, found: file.byteCount))
        case CURLE_RANGE_ERROR: return .cannotResume
        case CURLE_HTTP_RETURNED_ERROR: return outcome(ofStatus: responseStatus)
        case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING,
            CURLE_OPERATION_TIMEDOUT, CURLE_HTTP2, CURLE_HTTP2_STREAM:
            return .brokeOff(.unreachable(url: url, reason: reason(status)))
        case CURLE_COULDNT_CONNECT where start > 0, CURLE_COULDNT_RESOLVE_HOST where start > 0:
            return .brokeOff(.unreachable(url: url, reason: reason(status)))
        default: return .failed(.unreachable(url: url, reason: reason(status)))
        }
    }

    private var responseStatus: Int {
        var status = 0
        alsweep_curl_get_long(handle.curl, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    private func outcome(ofStatus status: Int) -> Outcome {
        switch status {
        // 416: no such range. What is there is of another file.
        case 416 where start > 0: .cannotResume
        case 408, 429, 500...599: .brokeOff(.refused(url: url, status: status))
        default: .failed(.refused(url: url, status: status))
        }
    }

    private func reason(_ status: CURLcode) -> String {
        let text = String(
            decoding: errorText.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.isEmpty ? String(cString: curl_easy_strerror(status)) : text
    }
}

/// libcurl's handle, and its freeing.
private final class OpaqueHandle {
    let curl: UnsafeMutableRawPointer

    private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init() {
        precondition(Self.isReady, "libcurl cannot be initialised")
        guard let curl = curl_easy_init() else { preconditionFailure("out of memory") }
        self.curl = curl
    }

    deinit { curl_easy_cleanup(curl) }
}
