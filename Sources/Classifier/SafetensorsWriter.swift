import Foundation

extension Safetensors {
    /// Writes a file under a temporary name beside `path`, makes it durable, then renames it: a
    /// reader sees the old file or the whole new one.
    public static func write(
        _ tensors: [NetworkState.Tensor], metadata: [String: String], to path: String
    ) throws(ClassifierError) {
        let file = try encode(tensors, metadata: metadata, path: path)
        let temporary = "\(path).\(getpid()).partial"
        func fail(_ step: String) -> ClassifierError {
            let reason = String(cString: strerror(errno))
            unlink(temporary)
            return .file(
                path: path, tensor: nil, problem: "cannot \(step): \(reason)",
                remedy: "check the folder, its permissions and the space on the disk")
        }
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw fail("be created") }
        let isWritten = writeAll(file, to: descriptor) && fsync(descriptor) == 0
        let failure = isWritten ? nil : fail("be written")
        close(descriptor)
        if let failure { throw failure }
        guard rename(temporary, path) == 0 else { throw fail("be renamed into place") }
        // The rename itself is durable only once the folder is.
        let folder = open((path as NSString).deletingLastPathComponent.folderOrHere, O_RDONLY)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    /// A file's bytes. Integers come first, so that every tensor is aligned to its elements.
    static func encode(
        _ tensors: [NetworkState.Tensor], metadata: [String: String], path: String
    ) throws(ClassifierError) -> Data {
        let ordered = tensors.filter { $0.integers != nil } + tensors.filter { $0.floats != nil }
        var header: [String: SafetensorsHeader.Tensor] = [:]
        var body = Data()
        for tensor in ordered {
            let start = body.count
            body.append(contentsOf: tensor.littleEndianBytes)
            let type: ElementType = tensor.floats == nil ? .int64 : .float32
            let replaced = header.updateValue(
                .init(
                    dtype: type.rawValue, shape: tensor.shape, offsets: [start, body.count]),
                forKey: tensor.name)
            precondition(replaced == nil, "tensor names are unique")
        }
        let json: Data
        do {
            json = try SafetensorsHeader(metadata: metadata, tensors: header).encoded()
        } catch {
            throw .file(
                path: path, tensor: nil, problem: "has a header that cannot be encoded",
                remedy: "check the metadata's strings")
        }
        var file = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
        file.append(json)
        file.append(body)
        return file
    }
}

private func writeAll(_ file: Data, to descriptor: Int32) -> Bool {
    file.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
        var rest = bytes
        while !rest.isEmpty {
            let count = write(descriptor, rest.baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return true
    }
}

extension String {
    fileprivate var folderOrHere: String { isEmpty ? "." : self }
}

extension NetworkState {
    private static let widthKey = "width"
    private static let classesKey = "classes"

    /// Writes the state under PyTorch's names, with the network's width and classes as metadata.
    ///
    /// - Parameter remarks: more metadata.
    public func write(
        _ network: ResNet18, remarks: [String: String] = [:], to path: String
    ) throws(ClassifierError) {
        try check(against: network)
        let metadata = [
            Self.widthKey: "\(network.width)", Self.classesKey: "\(network.classes)",
        ]
        try Safetensors.write(
            tensors, metadata: metadata.merging(remarks) { known, _ in known }, to: path)
    }

    /// Reads a network that this program or PyTorch wrote: the tensors of a ResNet-18's
    /// `state_dict`, whose shapes tell the width and the classes.
    public static func read(
        path: String
    ) throws(ClassifierError) -> (network: ResNet18, state: NetworkState) {
        let file = try Safetensors(path: path)
        func shape(_ name: String, count: Int) throws(ClassifierError) -> [Int] {
            guard let shape = file.entry(name)?.shape, shape.count == count, shape[0] > 0 else {
                throw .file(
                    path: path, tensor: name,
                    problem: file.entry(name) == nil
                        ? "is not in the file" : "has shape \(file.entry(name)!.shape)",
                    remedy: "the file must hold the state_dict of a ResNet-18 for 32×32 images, "
                        + "with PyTorch's names")
            }
            return shape
        }
        let network = ResNet18(
            width: try shape("conv1.weight", count: 4)[0],
            classes: try shape("linear.weight", count: 2)[0])
        return (network, try NetworkState(reading: file, network: network))
    }

    /// The network's tensors out of a file that may hold more.
    ///
    /// - Parameter prefix: comes before PyTorch's name in the file, as `initial.`.
    public init(
        reading file: Safetensors, network: ResNet18, prefix: String = ""
    ) throws(ClassifierError) {
        var tensors: [Tensor] = []
        for entry in network.entries {
            let name = prefix + entry.name
            let values: Values =
                entry.role == .batchCount
                ? .int64(try file.integers(name, shape: entry.shape))
                : .float32(try file.floats(name, shape: entry.shape))
            tensors.append(Tensor(name: entry.name, shape: entry.shape, values: values))
        }
        self.init(tensors: tensors)
    }
}
