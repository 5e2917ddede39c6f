import CZlib
import Digests
import Glibc
import SweepModel

/// The file that holds a dataset's images ready for use: 4096 bytes of header, then the pixels of
/// pool and test, then their labels, as they lie in memory. Numbers are little-endian UInt64.
///
/// | offset | |
/// |---|---|
/// | 0 | `ALSWIMG1` |
/// | 8 | CRC-32 of all that follows it |
/// | 16 | channels, images of the pool, images of the test |
/// | 40 | SHA-256 of the sources' paths, lengths and times |
struct PreparedImages {
    static let headerByteCount = 4_096
    private static let magic = Array("ALSWIMG1".utf8)
    private static let checksumEnd = 16

    let name: DatasetName
    /// What the images were made from.
    let sourceDigest: [UInt8]

    init(_ source: DatasetSource) throws(DatasetError) {
        name = source.name
        var text = source.name.rawValue + "\n"
        for path in source.paths { text += try FileIdentity(path).text }
        sourceDigest = Digest.sha256(of: Array(text.utf8)).bytes
    }

    /// Maps the file.
    ///
    /// - Returns: nil where there is none, or it is damaged, or made from other files.
    func map(_ path: String) -> Dataset? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_uid == geteuid(), status.st_size >= Self.headerByteCount,
            let memory = ReadOnlyMemory(mapping: descriptor, byteCount: Int(status.st_size))
        else { return nil }
        return dataset(in: memory)
    }

    private func dataset(in memory: ReadOnlyMemory) -> Dataset? {
        let bytes = memory.bytes
        func number(_ offset: Int) -> Int? {
            Int(
                exactly: UInt64(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
        }
        guard bytes.prefix(8).elementsEqual(Self.magic), bytes[40..<72].elementsEqual(sourceDigest),
            let channels = number(16), [1, 3].contains(channels),
            let poolCount = number(24), (0...name.fullPoolCount).contains(poolCount),
            let testCount = number(32), (0...name.fullTestCount).contains(testCount)
        else { return nil }
        let poolPixels = Self.headerByteCount
        let testPixels = poolPixels + poolCount * channels * ImageSet.planeByteCount
        let poolLabels = testPixels + testCount * channels * ImageSet.planeByteCount
        let testLabels = poolLabels + poolCount
        guard bytes.count == testLabels + testCount,
            number(8) == checksum(UnsafeRawBufferPointer(rebasing: bytes[Self.checksumEnd...]))
        else { return nil }
        func set(_ pixels: Range<Int>, _ labels: Range<Int>) -> ImageSet? {
            let labels = Array(bytes[labels])
            guard labels.allSatisfy({ Int($0) < name.classCount }) else { return nil }
            return ImageSet(
                name: name, channels: channels, pixels: ImageBytes(memory, pixels), labels: labels)
        }
        guard let pool = set(poolPixels..<testPixels, poolLabels..<testLabels),
            let test = set(testPixels..<poolLabels, testLabels..<bytes.count)
        else { return nil }
        return Dataset(pool: pool, test: test)
    }

    /// zlib's CRC-32.
    private func checksum(_ bytes: UnsafeRawBufferPointer) -> Int {
        Int(crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count))
    }

    /// Writes the file under another name and renames it, so that nobody sees a part of it.
    ///
    /// - Returns: whether it is there; a full disk is a reason why not.
    func write(_ dataset: Dataset, to path: String) -> Bool {
        let partial = path + ".partial"
        let descriptor = open(
            partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return false }
        let isWritten = write(dataset, to: descriptor)
        // Closing tells of a full disk on a file system over the network.
        guard close(descriptor) == 0, isWritten, rename(partial, path) == 0 else {
            unlink(partial)
            return false
        }
        return true
    }

    private func write(_ dataset: Dataset, to descriptor: Int32) -> Bool {
        var header = [UInt8](repeating: 0, count: Self.headerByteCount)
        header.replaceSubrange(0..<8, with: Self.magic)
        func put(_ value: Int, at offset: Int) {
            withUnsafeBytes(of: UInt64(value).littleEndian) {
                header.replaceSubrange(offset..<offset + 8, with: $0)
            }
        }
        put(dataset.pool.channels, at: 16)
        put(dataset.pool.count, at: 24)
        put(dataset.test.count, at: 32)
        header.replaceSubrange(40..<72, with: sourceDigest)
        var checksum = UInt(0)
        func add(_ bytes: UnsafeRawBufferPointer) {
            checksum = crc32_z(
                checksum, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
        }
        header.withUnsafeBytes { add(UnsafeRawBufferPointer(rebasing: $0[Self.checksumEnd...])) }
        for images in [dataset.pool, dataset.test] {
            add(UnsafeRawBufferPointer(images.pixels.buffer))
        }
        for images in [dataset.pool, dataset.test] { images.labels.withUnsafeBytes(add) }
        put(Int(checksum), at: 8)

        return header.withUnsafeBytes { writeAll($0, to: descriptor) }
            && [dataset.pool, dataset.test].allSatisfy {
                writeAll(UnsafeRawBufferPointer($0.pixels.buffer), to: descriptor)
            }
            && [dataset.pool, dataset.test].allSatisfy {
                $0.labels.withUnsafeBytes { writeAll($0, to: descriptor) }
            }
    }
}
