import ChildProcess
import Glibc

/// A question to `nvidia-smi`. It is a process of its own with a deadline and never waited for: where a
/// driver hangs, so does all that asks it.
public final class GPUQuery {
    /// Without the driver's persistence mode it wakes every GPU first, which takes seconds.
    public static let deadlineMs: Int64 = 20_000

    private let run: CommandRun
    private let deadlineMs: Int64

    public convenience init(at now: Int64) throws(GPUError) {
        try self.init(program: GPUListing.program, at: now, deadlineMs: Self.deadlineMs)
    }

    init(program: String, at now: Int64, deadlineMs: Int64) throws(GPUError) {
        self.deadlineMs = deadlineMs
        do {
            run = try CommandRun(
                Command([program] + GPUListing.arguments, timeoutMs: deadlineMs), at: now)
        } catch {
            throw .failed(reason: "\(error)")
        }
    }

    /// The answer, once, when it is there.
    public func poll(at now: Int64) -> Result<GPUListing, GPUError>? {
        guard let result = run.poll(at: now) else { return nil }
        return Result { () throws(GPUError) in
            try Self.listing(result, seconds: Int(deadlineMs / 1_000))
        }
    }

    /// Whether its process has ended: one that was killed may hang in the driver for long.
    public var isGone: Bool { run.isGone }

    private static let notFound: Int32 = 127

    private static func listing(
        _ result: CommandResult, seconds: Int
    ) throws(GPUError) -> GPUListing {
        guard let status = result.status else { throw .unanswered(seconds: seconds) }
        if status == notFound { throw .noProgram }
        do {
            // It ends with another status also where it only warns, and tells of the other GPUs.
            return try GPUListing(parsing: result.output)
        } catch .unreadable(let line) where status != 0 {
            throw .failed(reason: line)
        }
    }

    /// Asks and waits for the answer, no longer than the deadline.
    public static func ask() throws(GPUError) -> GPUListing {
        func now() -> Int64 {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
        }
        let query = try GPUQuery(at: now())
        while true {
            if let result = query.poll(at: now()) { return try result.get() }
            usleep(10_000)
        }
    }
}
