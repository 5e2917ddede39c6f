import Foundation
import Glibc
import SweepModel
import Synchronization
import Transport
import Wire

/// How the coordinator moves files.
public struct BlobServerSettings: Sendable {
    public var folder: RunFolder
    /// Who may.
    public var grants: BlobGrants
    /// nil where the coordinator has no keys.
    public var certificate: ServerCertificate?
    public var checkpoints: any BlobCheckpoints
    /// The paths of a dataset's files here; none if it is not here.
    public var datasetFiles: @Sendable (DatasetName) -> [String]

    public init(
        folder: RunFolder, grants: BlobGrants, certificate: ServerCertificate?,
        checkpoints: any BlobCheckpoints,
        datasetFiles: @escaping @Sendable (DatasetName) -> [String]
    ) {
        self.folder = folder
        self.grants = grants
        self.certificate = certificate
        self.checkpoints = checkpoints
        self.datasetFiles = datasetFiles
    }
}

/// What the coordinator's user should know of it.
public enum BlobNotice: Sendable {
    case stored(BlobItem)
    case troubled(String, hint: String?)
}

/// The coordinator's end of the `blob` socket: a thread of its own, so that no file delays a
/// heartbeat.
public final class BlobServer: Sendable {
    private static let noticeLimit = 1_024
    private static let commandLimit = 1_024

    enum Command: Sendable {
        case allow([PublicKey])
        case close(discardsParts: Bool)
    }

    /// Where it listens.
    public let endpoint: Endpoint
    public let notices: Inbox<BlobNotice>
    let commands: Inbox<Command>
    private let hasEnded = Atomic<Bool>(false)
    private let quietSince: Atomic<Int64>

    /// Listens beside `control`: at the next port if that is free, else at any.
    public init(_ settings: BlobServerSettings, beside control: Endpoint) throws(TransportError) {
        notices = try Inbox(capacity: Self.noticeLimit)
        commands = try Inbox(capacity: Self.commandLimit)
        quietSince = Atomic(monotonicMilliseconds())
        let loop = try BlobServerLoop(settings, beside: control)
        endpoint = loop.endpoint
        loop.connect(notices, commands)
        // Made here, used there only: the start of a thread is the fence that libzmq asks for when a
        // socket changes its thread.
        nonisolated(unsafe) let moved = loop
        Thread.detachNewThread { [self] in
            moved.run { quietSince.store($0, ordering: .relaxed) }
            hasEnded.store(true, ordering: .releasing)
        }
    }

    /// Lets these keys in and no others, on old connections too.
    public func allow(_ keys: [PublicKey]) { _ = commands.post(.allow(keys)) }

    /// Ends when nothing has moved for `quietMs`, and after `limitMs` in any case.
    ///
    /// - Parameter discardsParts: nobody will go on with what has come in part.
    public func close(quietMs: Int64, limitMs: Int64, discardsParts: Bool) {
        let begin = monotonicMilliseconds()
        while monotonicMilliseconds() - begin < limitMs,
            monotonicMilliseconds() - quietSince.load(ordering: .relaxed) < quietMs
        { usleep(20_000) }
        _ = commands.post(.close(discardsParts: discardsParts))
        while !hasEnded.load(ordering: .acquiring),
            monotonicMilliseconds() - begin < limitMs + 2_000
        { usleep(10_000) }
    }
}
