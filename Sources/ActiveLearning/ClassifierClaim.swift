import Foundation

/// That a classifier is being trained, so that others wait for it instead of training it, too.
///
/// It is a lock on a file beside the classifier's, which the system takes back however its holder
/// ends. The holder touches the file from time to time: a lock that outlives its holder, as after
/// the end of a machine that shares the folder by a network, is told by its age.
final class ClassifierClaim {
    enum Attempt {
        case obtained(ClassifierClaim)
        /// Somebody else trains it.
        ///
        /// - Parameter sign: is another one whenever the holder has shown that it is at work.
        case held(sign: Int)
        /// The folder cannot be written, or its file system has no locks.
        case impossible
    }

    private let path: String
    private let descriptor: Int32
    private let signInterval: Duration
    private var lastSign = ContinuousClock.now

    private init(path: String, descriptor: Int32, signInterval: Duration) {
        self.path = path
        self.descriptor = descriptor
        self.signInterval = signInterval
    }

    deinit {
        // First the name: who opened the file before finds out by the classifier whether to train.
        unlink(path)
        close(descriptor)
    }

    /// - Parameter signInterval: signs of life are this far apart at least.
    static func attempt(_ path: String, signInterval: Duration) -> Attempt {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return .impossible }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
            let claim = ClassifierClaim(
                path: path, descriptor: descriptor, signInterval: signInterval)
            claim.sign()
            return .obtained(claim)
        }
        let isHeld = errno == EWOULDBLOCK || errno == EINTR
        var information = stat()
        defer { close(descriptor) }
        guard isHeld, fstat(descriptor, &information) == 0 else { return .impossible }
        let time = information.st_mtim
        return .held(sign: time.tv_sec &* 1_000_000_000 &+ time.tv_nsec)
    }

    /// Shows that its holder is at work; cheap enough to be asked for at every batch.
    func renew() {
        guard ContinuousClock.now - lastSign >= signInterval else { return }
        sign()
    }

    private func sign() {
        lastSign = .now
        futimens(descriptor, nil)
    }
}
