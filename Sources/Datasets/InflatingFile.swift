import CZlib
import Glibc

/// Bytes that are read from front to back.
protocol ByteSource: ~Copyable {
    /// What errors call it.
    var path: String { get }

    /// Fills `bytes`.
    ///
    /// - Returns: how many bytes were written; fewer than asked for only at the end.
    mutating func read(into bytes: inout MutableSpan<UInt8>) throws(DatasetError) -> Int
}

/// A file read from front to back, inflated on the way if it is gzip.
///
/// Memory is bounded by the caller's buffer and one input buffer, whatever the file says.
struct InflatingFile: ByteSource, ~Copyable {
    let path: String
    private(set) var isCompressed = false

    private let descriptor: Int32
    private var input = [UInt8](repeating: 0, count: inputByteCount)
    /// What of `input` is not yet consumed.
    private var pending = 0..<0
    /// Bytes read from the file.
    private var consumedByteCount = 0
    private var isAtEnd = false
    /// zlib keeps a pointer back to its stream, which therefore must not move.
    private var inflation: UnsafeMutablePointer<z_stream>?
    /// Whether the last gzip member was complete, so that the file may end here.
    private var isBetweenMembers = false

    private static let inputByteCount = 1 << 16

    init(path: String) throws(DatasetError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, code: errno) }
        try fill(atLeast: 2)
        guard startsMember else { return }
        isCompressed = true
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        inflation = stream
        let status = alsweep_inflate_init_gzip(stream)
        precondition(status == Z_OK, "inflateInit2 failed with status \(status)")
    }

    deinit {
        if let inflation {
            inflateEnd(inflation)
            inflation.deallocate()
        }
        close(descriptor)
    }

    mutating func read(into bytes: inout MutableSpan<UInt8>) throws(DatasetError) -> Int {
        var count = 0
        while count < bytes.count {
            let added =
                isCompressed
                ? try inflate(into: &bytes, from: count) : try copy(into: &bytes, from: count)
            guard added > 0 else { break }
            count += added
        }
        return count
    }

    /// - Returns: the bytes written; 0 only at the end.
    private mutating func copy(
        into bytes: inout MutableSpan<UInt8>, from start: Int
    ) throws(DatasetError) -> Int {
        try fill(atLeast: 1)
        let count = min(pending.count, bytes.count - start)
        for offset in 0..<count { bytes[start + offset] = input[pending.lowerBound + offset] }
        pending = (pending.lowerBound + count)..<pending.upperBound
        return count
    }

    /// - Returns: the bytes written; 0 only at the end.
    private mutating func inflate(
        into bytes: inout MutableSpan<UInt8>, from start: Int
    ) throws(DatasetError) -> Int {
        while true {
            try fill(atLeast: 2)
            if isBetweenMembers {
                guard !pending.isEmpty else { return 0 }
                guard startsMember else { throw damaged("bytes follow the compressed data") }
                inflateReset(inflation)
                isBetweenMembers = false
            }
            guard !pending.isEmpty else {
                throw .truncatedGzip(path: path, byteCount: consumedByteCount)
            }
            let (status, count) = inflateOnce(into: &bytes, from: start)
            switch status {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END: isBetweenMembers = true
            case Z_MEM_ERROR: preconditionFailure("out of memory")
            default: throw damaged(inflation!.pointee.msg.map { String(cString: $0) } ?? "unknown")
            }
            if count > 0 { return count }
        }
    }

    private mutating func inflateOnce(
        into bytes: inout MutableSpan<UInt8>, from start: Int
    ) -> (status: Int32, count: Int) {
        let stream = inflation!
        let pending = self.pending
        let result = input.withUnsafeMutableBufferPointer { input in
            bytes.withUnsafeMutableBufferPointer { output in
                stream.pointee.next_in = input.baseAddress! + pending.lowerBound
                stream.pointee.avail_in = UInt32(pending.count)
                stream.pointee.next_out = output.baseAddress! + start
                stream.pointee.avail_out = UInt32(min(output.count - start, Int(UInt32.max)))
                let room = stream.pointee.avail_out
                let status = CZlib.inflate(stream, Z_NO_FLUSH)
                return (status: status, count: Int(room - stream.pointee.avail_out))
            }
        }
        self.pending = (pending.upperBound - Int(stream.pointee.avail_in))..<pending.upperBound
        return result
    }

    private func damaged(_ reason: String) -> DatasetError {
        .damagedGzip(path: path, reason: reason)
    }

    /// Whether the unread input begins with gzip's two magic bytes.
    private var startsMember: Bool {
        pending.count >= 2 && input[pending.lowerBound] == 0x1f
            && input[pending.lowerBound + 1] == 0x8b
    }

    /// Reads until `count` bytes are pending or the file ends.
    private mutating func fill(atLeast count: Int) throws(DatasetError) {
        while pending.count < count && !isAtEnd {
            for (offset, index) in pending.enumerated() { input[offset] = input[index] }
            let kept = pending.count
            let added = input.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress! + kept, $0.count - kept)
            }
            if added < 0 && errno == EINTR { continue }
            guard added >= 0 else { throw .unreadable(path: path, code: errno) }
            pending = 0..<(kept + added)
            consumedByteCount += added
            isAtEnd = added == 0
        }
    }
}
