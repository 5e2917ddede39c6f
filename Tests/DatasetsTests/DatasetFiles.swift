import Foundation

/// A folder of its own that is removed with the value.
final class TemporaryFolder {
    let path: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("datasets-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ bytes: [UInt8], to name: String) throws {
        let file = URL(fileURLWithPath: "\(path)/\(name)")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }
}

/// The four files of a small Fashion-MNIST, some of them made wrong.
struct FashionFiles {
    var trainImages = idxImages(count: 12)
    var trainLabels = idxLabels((0..<12).map { UInt8($0 % 10) })
    var testImages = idxImages(count: 5)
    var testLabels = idxLabels([9, 8, 7, 6, 5])

    func write(to folder: TemporaryFolder, under subfolder: String = "") throws {
        let prefix = subfolder.isEmpty ? "" : subfolder + "/"
        try folder.write(trainImages, to: prefix + "train-images-idx3-ubyte.gz")
        try folder.write(trainLabels, to: prefix + "train-labels-idx1-ubyte.gz")
        try folder.write(testImages, to: prefix + "t10k-images-idx3-ubyte.gz")
        try folder.write(testLabels, to: prefix + "t10k-labels-idx1-ubyte.gz")
    }
}

/// Pixel values that differ from image to image and inside one.
func rawPixels(count: Int, side: Int = 28) -> [UInt8] {
    (0..<count * side * side).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 / 784 &* 11) }
}

func idxImages(count: Int, announced: Int? = nil, side: Int = 28) -> [UInt8] {
    [0, 0, 8, 3] + bigEndian(announced ?? count) + bigEndian(side) + bigEndian(side)
        + rawPixels(count: count, side: side)
}

func idxLabels(_ labels: [UInt8]) -> [UInt8] { [0, 0, 8, 1] + bigEndian(labels.count) + labels }

func bigEndian(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
}

/// A gzip file of stored, uncompressed blocks (RFC 1951 3.2.4, RFC 1952).
func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var file: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
    var start = 0
    repeat {
        let count = min(65_535, bytes.count - start)
        let isLast = start + count == bytes.count
        file += [isLast ? 1 : 0] + bigEndian(count).reversed().prefix(2)
        file += bigEndian(~count).reversed().prefix(2)
        file += bytes[start..<start + count]
        start += count
    } while start < bytes.count
    return file + bigEndian(Int(crc32(bytes))).reversed() + bigEndian(bytes.count).reversed()
}

private func crc32(_ bytes: [UInt8]) -> UInt32 {
    var sum = ~UInt32(0)
    for byte in bytes {
        sum ^= UInt32(byte)
        for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xedb8_8320 : sum >> 1 }
    }
    return ~sum
}
