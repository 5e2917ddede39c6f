import Foundation

/// A file of named tensors in the safetensors format: the header's length in 8 bytes, a JSON
/// header, then the tensors' bytes without gaps, all little-endian.
///
/// Reading checks everything that the header claims against the file before any tensor is handed
/// out.
public struct Safetensors: Sendable {
    /// The element types of the format that have whole bytes.
    public enum ElementType: String, Sendable {
        case bool = "BOOL"
        case uint8 = "U8"
        case int8 = "I8"
        case uint16 = "U16"
        case int16 = "I16"
        case float16 = "F16"
        case bfloat16 = "BF16"
        case uint32 = "U32"
        case int32 = "I32"
        case float32 = "F32"
        case uint64 = "U64"
        case int64 = "I64"
        case float64 = "F64"

        public var byteCount: Int {
            switch self {
            case .bool, .uint8, .int8: 1
            case .uint16, .int16, .float16, .bfloat16: 2
            case .uint32, .int32, .float32: 4
            case .uint64, .int64, .float64: 8
            }
        }
    }

    /// What the header says about one tensor.
    public struct Entry: Hashable, Sendable {
        public var name: String
        public var type: ElementType
        public var shape: [Int]
        /// The tensor's bytes, counted from the end of the header.
        public var byteRange: Range<Int>
    }

    /// The longest header that is read: the format's own limit.
    public static let maximumHeaderByteCount = 100_000_000

    public let path: String
    /// The strings under `__metadata__`.
    public let metadata: [String: String]
    /// In the order of their bytes in the file.
    public let entries: [Entry]

    private let body: Data
    private let indices: [String: Int]

    /// Reads and checks a whole file.
    public init(path: String) throws(ClassifierError) {
        try self.init(path: path, file: Self.contents(path: path))
    }

    private static func contents(path: String) throws(ClassifierError) -> Data {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable(path: path, code: errno) }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            throw unreadable(path: path, code: errno)
        }
        guard information.st_mode & S_IFMT == S_IFREG else {
            let isFolder = information.st_mode & S_IFMT == S_IFDIR
            throw .file(
                path: path, tensor: nil,
                problem: isFolder ? "is a folder" : "is not a regular file",
                remedy: "name a model file, such as a .safetensors under a run's models folder")
        }
        do {
            let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
            return try handle.readToEnd() ?? Data()
        } catch {
            throw unreadable(path: path, code: errno)
        }
    }

    private static func unreadable(path: String, code: Int32) -> ClassifierError {
        .file(
            path: path, tensor: nil, problem: "cannot be read: \(String(cString: strerror(code)))",
            remedy: "check that the file is there and may be read")
    }

    /// The strings under `__metadata__`, without reading the tensors.
    public static func metadata(ofFile path: String) throws(ClassifierError) -> [String: String] {
        do {
            let file = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
            let headerByteCount = try SafetensorsHeader.byteCount(of: file, path: path)
            return try SafetensorsHeader(
                json: file.dropFirst(8).prefix(headerByteCount), path: path
            ).metadata
        } catch let error as ClassifierError {
            throw error
        } catch {
            throw .file(
                path: path, tensor: nil, problem: "cannot be read: \(error.localizedDescription)",
                remedy: "check that the file is there and may be read")
        }
    }

    init(path: String, file: Data) throws(ClassifierError) {
        let headerByteCount = try SafetensorsHeader.byteCount(of: file, path: path)
        let header = try SafetensorsHeader(
            json: file.dropFirst(8).prefix(headerByteCount), path: path)
        let body = file.dropFirst(8 + headerByteCount)
        self.path = path
        metadata = header.metadata
        entries = try header.checkedEntries(bodyByteCount: body.count, path: path)
        self.body = Data(body)
        indices = Dictionary(
            uniqueKeysWithValues: entries.enumerated().map { ($0.element.name, $0.offset) })
    }

    /// The header's entry, or nil where the file has no such tensor.
    public func entry(_ name: String) -> Entry? {
        indices[name].map { entries[$0] }
    }

    /// The values of a float32 tensor, row-major.
    ///
    /// - Parameter shape: where given, the tensor must have it.
    public func floats(_ name: String, shape: [Int]? = nil) throws(ClassifierError) -> [Float] {
        try words(name, .float32, shape).map { (word: UInt32) in Float(bitPattern: word) }
    }

    /// The values of an int64 tensor, row-major.
    public func integers(_ name: String, shape: [Int]? = nil) throws(ClassifierError) -> [Int64] {
        try words(name, .int64, shape)
    }

    /// The values of a uint8 tensor, row-major.
    public func bytes(_ name: String, shape: [Int]? = nil) throws(ClassifierError) -> [UInt8] {
        try words(name, .uint8, shape)
    }

    private func words<Word: FixedWidthInteger>(
        _ name: String, _ type: ElementType, _ shape: [Int]?
    ) throws(ClassifierError) -> [Word] {
        guard let entry = entry(name) else {
            throw .file(
                path: path, tensor: name, problem: "is not in the file",
                remedy: "the file has \(entries.count) other tensors; check its origin")
        }
        guard entry.type == type else {
            throw .file(
                path: path, tensor: name,
                problem: "holds \(entry.type.rawValue), where \(type.rawValue) is needed",
                remedy: "convert the tensor before writing the file")
        }
        if let shape, shape != entry.shape {
            throw .file(
                path: path, tensor: name,
                problem: "has shape \(entry.shape), where \(shape) is needed",
                remedy: "check that the file was written for a network of this width and classes")
        }
        return body.withUnsafeBytes { (all: UnsafeRawBufferPointer) in
            stride(
                from: entry.byteRange.lowerBound, to: entry.byteRange.upperBound, by: type.byteCount
            )
            .map { Word(littleEndian: all.loadUnaligned(fromByteOffset: $0, as: Word.self)) }
        }
    }
}
