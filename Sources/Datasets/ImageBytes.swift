import Glibc

/// Bytes that are never written: an array's, or a part of a file that is mapped, so that processes
/// that map the same file share its pages.
public struct ImageBytes: RandomAccessCollection, Sendable {
    private let memory: ReadOnlyMemory
    private let range: Range<Int>

    /// A copy of the bytes, of this process alone.
    public init(_ bytes: [UInt8]) { self.init(ReadOnlyMemory(copying: bytes), 0..<bytes.count) }

    /// - Parameter range: inside the memory.
    init(_ memory: ReadOnlyMemory, _ range: Range<Int>) {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= memory.bytes.count,
            "\(range) is not inside \(memory.bytes.count) bytes")
        self.memory = memory
        self.range = range
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { range.count }

    public subscript(index: Int) -> UInt8 { buffer[index] }

    /// The first bytes, without a copy.
    func first(_ count: Int) -> ImageBytes {
        ImageBytes(memory, range.lowerBound..<range.lowerBound + count)
    }

    /// Valid as long as this value is.
    var buffer: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: memory.bytes.assumingMemoryBound(to: UInt8.self)[range])
    }

    public func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        try withExtendedLifetime(memory) { try body(buffer) }
    }
}

/// Memory that nobody writes to after it is made.
///
/// Sendable: the initialisers are the only writers, and the pointer is freed with the last
/// reference. A mapped file is replaced by renaming, and never changed where it is.
final class ReadOnlyMemory: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer

    private let isMapped: Bool

    init(copying bytes: [UInt8]) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
        copy.copyBytes(from: bytes)
        self.bytes = UnsafeRawBufferPointer(copy)
        isMapped = false
    }

    /// Maps a file from its beginning, to be read only; nil where the system refuses.
    init?(mapping descriptor: Int32, byteCount: Int) {
        guard let address = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0),
            address != MAP_FAILED
        else { return nil }
        bytes = UnsafeRawBufferPointer(start: address, count: byteCount)
        isMapped = true
    }

    deinit {
        if isMapped {
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count)
        } else {
            bytes.deallocate()
        }
    }
}
