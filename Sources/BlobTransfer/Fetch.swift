import SweepModel
import Wire

/// A file, or a dataset's files one after the other, on the way from the coordinator.
final class Fetch {
    private static let findIntervalMs: Int64 = 2_000
    /// A dataset has fewer files.
    private static let fileLimit = 16

    enum Destination {
        /// - cycles: of the checkpoint that is there.
        case file(path: String, partFolder: String, cycles: Int)
        case dataset(DatasetName, folder: String?)
    }

    enum Outcome {
        case goesOn
        case isDone
        case nothingNewer
    }

    private struct Arrival {
        var reception: Reception
        let file: IncomingFile
        let path: String
        let fileCount: Int
    }

    let ticket: BlobTicket
    private(set) var item: BlobItem
    var lastHeard: Int64 = 0
    private var destination: Destination
    private var arrival: Arrival?
    private var lastAsked: Int64?

    init(_ ticket: BlobTicket, _ item: BlobItem, to destination: Destination) {
        self.ticket = ticket
        self.item = item
        self.destination = destination
    }

    convenience init(_ ticket: BlobTicket, dataset name: DatasetName) {
        self.init(ticket, .dataset(name, file: 0), to: .dataset(name, folder: nil))
    }

    /// The connection is new.
    func restart(at now: Int64) { arrival?.reception.restart(at: now) }

    /// What to say now, if anything.
    func questions(at now: Int64) -> [BlobContent] {
        if let digest = arrival?.reception.digest {
            return arrival!.reception.wants(at: now).map { .want(digest, offset: $0) }
        }
        if let lastAsked, now - max(lastAsked, lastHeard) < Self.findIntervalMs { return [] }
        lastAsked = now
        return [.find]
    }

    func advance(
        _ content: BlobContent, _ settings: BlobClientSettings, at now: Int64
    ) throws(BlobError) -> Outcome {
        switch content {
        case .found(let description): return try begin(description, settings, at: now)
        case .absent:
            // The coordinator has closed the file meanwhile, or has none.
            guard arrival != nil else {
                if case .dataset(let name, _) = destination {
                    throw .dataset("the coordinator has no \(name.title) either")
                }
                return .nothingNewer
            }
            arrival = nil
            lastAsked = nil
            return .goesOn
        case .chunk(let digest, let offset, let bytes):
            guard arrival?.reception.digest == digest else { return .goesOn }
            switch arrival!.reception.accept(offset: offset, byteCount: bytes.count, at: now) {
            case .ignore: return .goesOn
            case .wrongLength(let expected):
                throw .wrongLength(offset: offset, byteCount: bytes.count, expected: expected)
            case .append:
                try append(bytes)
            }
            return arrival!.reception.isComplete ? try finish(settings) : .goesOn
        case .offer, .find, .want, .stored, .refused: return .goesOn
        }
    }

    private func append(_ bytes: [UInt8]) throws(BlobError) {
        do throws(BlobError) {
            try arrival!.file.append(bytes)
        } catch {
            // A full disk gets back what a part of a file had of it.
            arrival!.file.discard()
            throw error
        }
    }

    private func begin(
        _ found: BlobDescription, _ settings: BlobClientSettings, at now: Int64
    ) throws(BlobError) -> Outcome {
        guard arrival == nil else { return .goesOn }
        guard (0...item.byteLimit).contains(found.byteCount) else {
            throw .tooLarge(byteCount: found.byteCount, limit: item.byteLimit)
        }
        let path: String
        let partFolder: String
        switch destination {
        case .file(let target, let folder, let cycles):
            guard found.cycles ?? 0 > cycles else { return .nothingNewer }
            (path, partFolder) = (target, folder)
        case .dataset(let name, let folder):
            if let folder {
                partFolder = folder
            } else {
                partFolder = try receivingFolder(for: name, settings)
            }
            path = partFolder + "/" + (try fileName(found, of: name, settings))
        }
        let file = try IncomingFile(
            in: partFolder, item, found.digest, byteCount: found.byteCount)
        arrival = Arrival(
            reception: Reception(
                digest: found.digest, byteCount: found.byteCount, received: file.byteCount, at: now),
            file: file, path: path, fileCount: found.fileCount ?? 1)
        return arrival!.reception.isComplete ? try finish(settings) : .goesOn
    }

    private func fileName(
        _ found: BlobDescription, of name: DatasetName, _ settings: BlobClientSettings
    ) throws(BlobError) -> String {
        guard case .dataset(_, let index) = item, let file = found.name,
            let count = found.fileCount,
            (1...Self.fileLimit).contains(count),
            settings.datasets.isName(file, of: name, file: index, count: count)
        else { throw .dataset("the coordinator names no file of \(name.title)") }
        return file
    }

    private func receivingFolder(
        for name: DatasetName, _ settings: BlobClientSettings
    ) throws(BlobError) -> String {
        do {
            let folder = try settings.datasets.receivingFolder(for: name)
            destination = .dataset(name, folder: folder)
            return folder
        } catch {
            throw .dataset("\(error)")
        }
    }

    private func finish(_ settings: BlobClientSettings) throws(BlobError) -> Outcome {
        let arrived = arrival!
        arrival = nil
        lastAsked = nil
        if case .checkpoint = item { settings.checkpoints.keepEarlier(at: arrived.path) }
        try arrived.file.finish(arrived.reception.digest, as: arrived.path)
        guard case .dataset(let name, let folder?) = destination,
            case .dataset(_, let index) = item
        else { return .isDone }
        guard index + 1 >= arrived.fileCount else {
            item = .dataset(name, file: index + 1)
            return .goesOn
        }
        do {
            try settings.datasets.install(name, from: folder)
        } catch {
            throw .dataset("\(error)")
        }
        return .isDone
    }
}
