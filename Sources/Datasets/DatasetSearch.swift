import Glibc
import SweepModel

/// Where datasets are looked for.
public struct DatasetSearch: Sendable {
    /// Debian's data packages put theirs here.
    public static let systemRoot = "/usr/share/datasets"

    /// Looked at in this order; in each, the root itself and the dataset's own subfolders.
    public let roots: [String]

    /// - Parameters:
    ///   - folder: what the user named with `--data`; then nothing else is looked at, so that a
    ///     mistyped path cannot silently be replaced by other data.
    ///   - environment: of the process: `ALSWEEP_DATA`, `XDG_DATA_HOME` and `HOME` count.
    public init(folder: String? = nil, environment: [String: String]) {
        if let folder {
            roots = [folder]
            return
        }
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        let home = value("XDG_DATA_HOME") ?? value("HOME").map { "\($0)/.local/share" }
        roots = [value("ALSWEEP_DATA"), home.map { "\($0)/alsweep" }, Self.systemRoot]
            .compactMap(\.self)
    }

    public init(roots: [String]) { self.roots = roots }

    /// Loads the first images of a dataset from the first place that holds any of its files.
    ///
    /// - Parameters:
    ///   - poolCount: images of the training files.
    ///   - testCount: images of the test files.
    public func load(
        _ name: DatasetName, poolCount: Int, testCount: Int
    ) throws(DatasetError) -> Dataset {
        let paths = try paths(of: name)
        return switch name {
        case .fashionmnist:
            try FashionMNIST(paths: paths).load(poolCount: poolCount, testCount: testCount)
        case .cifar10, .cifar100:
            try CIFAR(name, paths: paths).load(poolCount: poolCount, testCount: testCount)
        }
    }

    /// Where the files of a dataset are, without reading them.
    public func folder(of name: DatasetName) throws(DatasetError) -> String {
        let places = places(of: name)
        for place in places where name.parts.contains(where: { find($0, in: place) != nil }) {
            return place
        }
        throw .notFound(name, places: places)
    }

    /// Every folder that is looked at, in order.
    func places(of name: DatasetName) -> [String] {
        roots.flatMap { root in [root] + name.subfolders.map { "\(root)/\($0)" } }
    }

    private func paths(of name: DatasetName) throws(DatasetError) -> [String] {
        let folder = try folder(of: name)
        var paths: [String] = []
        for names in name.parts {
            guard let path = find(names, in: folder) else {
                throw .incomplete(name, folder: folder, missing: names[0])
            }
            paths.append(path)
        }
        return paths
    }

    private func find(_ names: [String], in folder: String) -> String? {
        names.lazy.map { "\(folder)/\($0)" }.first { access($0, F_OK) == 0 }
    }
}

extension DatasetName {
    /// The files of the dataset, each with the names it may have.
    fileprivate var parts: [[String]] {
        switch self {
        case .fashionmnist: FashionMNIST.parts
        case .cifar10, .cifar100: CIFAR.parts(of: self)
        }
    }

    /// As Debian names the folder, as this program does, and as torchvision does.
    fileprivate var subfolders: [String] {
        switch self {
        case .fashionmnist: ["fashion-mnist", "fashionmnist", "FashionMNIST/raw"]
        case .cifar10: ["cifar-10-batches-bin", "cifar10"]
        case .cifar100: ["cifar-100-binary", "cifar100"]
        }
    }
}
