import Foundation
import Glibc
import Synchronization
import Testing
import Wire

@testable import Transport

@Suite("Poll loop")
struct PollLoopTests {
    @Test("an idle loop returns when the time is up")
    func timeout() throws {
        var loop = PollLoop()
        let wakeup = try Wakeup()
        let watch = loop.watch(wakeup)
        let start = ContinuousClock.now
        let ready = try loop.wait(timeoutMs: 30)
        #expect(ready.isEmpty && !ready.contains(watch))
        #expect(ContinuousClock.now - start >= .milliseconds(29))
        #expect(try loop.wait(timeoutMs: -5).isEmpty)
    }

    @Test("another thread wakes a loop that would wait for ever")
    func wakeup() throws {
        var loop = PollLoop()
        let wakeup = try Wakeup()
        let idle = try Wakeup()
        let watch = loop.watch(wakeup)
        let idleWatch = loop.watch(idle)
        Thread.detachNewThread { wakeup.signal() }
        let ready = try loop.wait(timeoutMs: nil)
        #expect(ready.contains(watch) && !ready.contains(idleWatch))
        #expect(try loop.wait(timeoutMs: 0).contains(watch), "it stays readable until cleared")
        wakeup.clear()
        #expect(try loop.wait(timeoutMs: 0).isEmpty)
    }

    @Test("values from several threads arrive, each thread's in order")
    func inbox() throws {
        var loop = PollLoop()
        let inbox = try Inbox<[Int]>(capacity: 10_000)
        let watch = loop.watch(inbox)
        let threadCount = 4
        let valueCount = 500
        for thread in 0..<threadCount {
            Thread.detachNewThread {
                for value in 0..<valueCount where !inbox.post([thread, value]) {
                    Issue.record("an inbox with room refused a value")
                }
            }
        }
        var next = [Int](repeating: 0, count: threadCount)
        while next.contains(where: { $0 < valueCount }) {
            try waitingUntilReadable(watch, on: &loop)
            for value in inbox.takeAll() {
                #expect(value[1] == next[value[0]])
                next[value[0]] += 1
            }
        }
        #expect(inbox.takeAll().isEmpty)
    }

    @Test("a full inbox refuses, and takes values again once emptied")
    func fullInbox() throws {
        let inbox = try Inbox<Int>(capacity: 2)
        var loop = PollLoop()
        let watch = loop.watch(inbox)
        #expect(inbox.post(1) && inbox.post(2))
        #expect(!inbox.post(3))
        #expect(try loop.wait(timeoutMs: 0).contains(watch))
        #expect(inbox.takeAll() == [1, 2])
        #expect(try loop.wait(timeoutMs: 0).isEmpty, "nothing waits, and the loop would spin")
        #expect(inbox.post(4))
        #expect(inbox.takeAll() == [4])
    }

    @Test("what a child writes can be read, and then its end")
    func childPipe() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        var child = pid_t()
        var arguments = [strdup("sh"), strdup("-c"), strdup("echo trained"), nil]
        defer { for argument in arguments { free(argument) } }
        #expect(posix_spawn(&child, "/bin/sh", &actions, nil, &arguments, nil) == 0)
        close(ends[1])

        var loop = PollLoop()
        let watch = loop.watch(.descriptor(ends[0]))
        var output: [UInt8] = []
        var count = 1
        while count > 0 {
            try waitingUntilReadable(watch, on: &loop)
            var buffer = [UInt8](repeating: 0, count: 100)
            count = read(ends[0], &buffer, buffer.count)
            output += buffer.prefix(max(0, count))
        }
        #expect(String(decoding: output, as: UTF8.self) == "trained\n")
        loop.unwatch(watch)
        #expect(try loop.wait(timeoutMs: 0).isEmpty, "the end would be readable for ever")
        #expect(waitpid(child, nil, 0) == child)
    }

    @Test("a socket that its owner closes leaves the loop")
    func closedSocket() throws {
        let context = try Context()
        var loop = PollLoop()
        let watch: Watch
        do {
            let server = try RouterSocket(context: context, security: .plain)
            watch = loop.watch(server)
            #expect(try loop.wait(timeoutMs: 0).isEmpty)
        }
        let wakeup = try Wakeup()
        let other = loop.watch(wakeup)
        wakeup.signal()
        let ready = try loop.wait(timeoutMs: nil)
        #expect(ready.contains(other) && !ready.contains(watch))
    }

    @Test("a signal to the process is read like a message, whichever thread it reaches")
    func signal() throws {
        let descriptor = try SignalDescriptor([.user1, .hangUp])
        var loop = PollLoop()
        let watch = loop.watch(descriptor)
        #expect(descriptor.next() == nil)
        kill(getpid(), SIGUSR1)
        try waitingUntilReadable(watch, on: &loop)
        #expect(descriptor.next() == .user1)
        #expect(descriptor.next() == nil)
        #expect(try loop.wait(timeoutMs: 0).isEmpty)
        kill(getpid(), SIGHUP)
        try waitingUntilReadable(watch, on: &loop)
        #expect(descriptor.next() == .hangUp)
    }

    @Test("a signal handler that runs meanwhile is no error")
    func interrupted() throws {
        Glibc.signal(SIGUSR2) { _ in }
        let finished = try Wakeup()
        let release = try Wakeup()
        let waiter = Mutex<pthread_t?>(nil)
        let wasEmpty = Mutex<Bool?>(nil)
        Thread.detachNewThread {
            // The threads of Swift's tasks block signals, and new threads inherit that.
            var set = sigset_t()
            sigemptyset(&set)
            pthread_sigmask(SIG_SETMASK, &set, nil)
            waiter.withLock { $0 = pthread_self() }
            var loop = PollLoop()
            _ = loop.watch(release)
            let isEmpty = try? loop.wait(timeoutMs: nil).isEmpty
            wasEmpty.withLock { $0 = isEmpty }
            finished.signal()
            // The thread stays until nobody sends it signals any more.
            while let ready = try? loop.wait(timeoutMs: nil), ready.isEmpty {}
        }
        var loop = PollLoop()
        let watch = loop.watch(finished)
        let deadline = ContinuousClock.now + .seconds(20)
        while try !loop.wait(timeoutMs: 5).contains(watch), ContinuousClock.now < deadline {
            if let thread = waiter.withLock({ $0 }) { pthread_kill(thread, SIGUSR2) }
        }
        #expect(wasEmpty.withLock { $0 } == true)
        release.signal()
    }

    @Test("a coordinator may open as many files as the system allows")
    func openFileLimit() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(4_096, limit.rlim_max)
        #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        let count = Context.raiseOpenFileLimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(limit.rlim_cur == limit.rlim_max)
        #expect(count == Int(clamping: limit.rlim_max))
    }

    /// A child that inherited a socket would keep its port and its peers.
    @Test("no descriptor of a socket, a wake-up or a signal survives exec")
    func closeOnExec() throws {
        let before = try Self.descriptors()
        let context = try Context()
        var server = try Server(context)
        var client = try Client(context, connectedTo: try server.bind())
        try client.send(.text("hello"))
        _ = try server.message()
        let wakeup = try Wakeup()
        let descriptor = try SignalDescriptor([])
        var kinds: Set<String> = []
        // Those of tests that run beside this one are checked too, which does no harm.
        for (number, kind) in try Self.descriptors() where before[number] != kind {
            kinds.insert(kind)
            let flags = fcntl(number, F_GETFD)
            #expect(flags < 0 || flags & FD_CLOEXEC != 0, "\(kind) \(number)")
        }
        #expect(kinds == Self.kinds)
        wakeup.signal()
        #expect(descriptor.next() == nil)
    }

    private static let kinds: Set<String> = [
        "socket", "anon_inode:[eventfd]", "pipe", "anon_inode:[eventpoll]",
    ]

    /// The descriptors of this process that are of one of `kinds`.
    private static func descriptors() throws -> [Int32: String] {
        var found: [Int32: String] = [:]
        for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            let link = "/proc/self/fd/" + entry
            guard let number = Int32(entry),
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: link)
            else { continue }
            let kind = ["socket", "pipe"].first { target.hasPrefix($0 + ":") } ?? target
            if kinds.contains(kind) { found[number] = kind }
        }
        return found
    }
}
