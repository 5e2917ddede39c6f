import GPUs
import SweepModel

/// Looks at the GPUs now and then, without ever waiting for their driver.
final class GPUWatch {
    static let intervalMs: Int64 = 10_000
    /// When a trial ends its memory is free soon after.
    private static let hurryMs: Int64 = 1_000

    enum News {
        case seen([GPU])
        /// Told once, until it is well again.
        case troubled(GPUError)
    }

    /// One that was killed stays until it is gone: where a driver hangs one process does, not a hundred.
    private var query: GPUQuery?
    private var hasAnswer = false
    private var next: Int64
    private var lastError: GPUError?

    init(at now: Int64) { next = now + Self.intervalMs }

    /// Something changed.
    func hurry(at now: Int64) { next = min(next, now + Self.hurryMs) }

    func step(at now: Int64) -> News? {
        if let query {
            if !hasAnswer, let answer = query.poll(at: now) {
                hasAnswer = true
                return news(answer)
            }
            guard hasAnswer, query.isGone else { return nil }
            self.query = nil
        }
        guard now >= next else { return nil }
        next = now + Self.intervalMs
        hasAnswer = false
        do throws(GPUError) {
            query = try GPUQuery(at: now)
            return nil
        } catch {
            return news(.failure(error))
        }
    }

    private func news(_ answer: Result<GPUListing, GPUError>) -> News? {
        switch answer {
        case .success(let listing):
            lastError = nil
            return .seen(listing.gpus)
        case .failure(let error):
            guard error != lastError else { return nil }
            lastError = error
            return .troubled(error)
        }
    }
}
