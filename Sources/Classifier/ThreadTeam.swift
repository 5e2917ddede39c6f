import COneDNN

/// Runs `body` over parts of `0..<count` in the team of threads that oneDNN uses itself, so that
/// two pools never compete for the cores. For loops whose elements are independent: the parts
/// depend on the number of threads, the results must not.
func forEachPart(of count: Int, _ body: (Range<Int>) -> Void) {
    /// Below this many elements a second thread costs more than it saves.
    let smallestSharedCount = 65_536
    guard count >= smallestSharedCount else { return body(0..<count) }
    forEachThread { thread, threads in
        // Parts start at whole cache lines of 16 floats.
        let lines = share(of: (count + 15) / 16, thread, threads)
        body(min(count, lines.lowerBound * 16)..<min(count, lines.upperBound * 16))
    }
}

/// Runs `body` once in every thread of oneDNN's team, with the thread's number and how many there
/// are, and returns when all have ended.
func forEachThread(_ body: (_ thread: Int, _ threads: Int) -> Void) {
    guard omp_get_max_threads() > 1 else { return body(0, 1) }
    withoutActuallyEscaping(body) { body in
        var work = TeamWork(body: body)
        withUnsafeMutablePointer(to: &work) { work in
            GOMP_parallel({ $0!.assumingMemoryBound(to: TeamWork.self).pointee.run() }, work, 0, 0)
        }
    }
}

/// One thread's share of `0..<count`, as even as can be.
func share(of count: Int, _ thread: Int, _ threads: Int) -> Range<Int> {
    count * thread / threads..<count * (thread + 1) / threads
}

private struct TeamWork {
    let body: (Int, Int) -> Void

    func run() {
        body(Int(omp_get_thread_num()), Int(omp_get_num_threads()))
    }
}
