import CZeroMQ
import Glibc
import Synchronization

/// Wakes a poll loop from any thread.
public final class Wakeup: Sendable, Pollable {
    private let descriptor: Int32

    /// One that has not been signalled.
    public init() throws(TransportError) {
        descriptor = alsweep_eventfd()
        guard descriptor >= 0 else { throw .lastSystemFailure(of: "creating an eventfd") }
    }

    deinit {
        close(descriptor)
    }

    /// Readable once signalled, until cleared.
    public var pollSource: PollSource { .descriptor(descriptor) }

    /// Makes the loop's wait return, now or when it next begins. Safe in a signal handler.
    public func signal() {
        var one: UInt64 = 1
        // The only failure is a counter that is full, and then the loop is already awake.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Forgets the signals so far. Clear before looking at what they announced: what is posted in
    /// between then wakes the loop once more instead of never.
    public func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }
}

/// Values that other threads hand to the thread of a poll loop.
public final class Inbox<Element: Sendable>: Sendable, Pollable {
    private let elements = Mutex<[Element]>([])
    private let wakeup: Wakeup
    /// How many values may wait.
    public let capacity: Int

    /// An empty inbox.
    public init(capacity: Int) throws(TransportError) {
        precondition(capacity > 0, "an inbox that can hold nothing")
        self.capacity = capacity
        wakeup = try Wakeup()
    }

    /// Readable while values wait.
    public var pollSource: PollSource { wakeup.pollSource }

    /// Appends `element` and wakes the loop, from any thread; false when the inbox is full and the
    /// value was not taken.
    public func post(_ element: sending Element) -> Bool {
        let isPosted = elements.withLock { elements in
            guard elements.count < capacity else { return false }
            elements.append(element)
            return true
        }
        wakeup.signal()
        return isPosted
    }

    /// All values so far, in the order in which they were posted.
    public func takeAll() -> [Element] {
        wakeup.clear()
        return elements.withLock { elements in
            defer { elements = [] }
            return elements
        }
    }
}
