import COneDNN

/// Runs `body` over parts of `0..<count` in the team of threads that oneDNN uses itself, so that
/// two pools never compete for the cores. For loops whose elements are independent: the parts
/// depend on the number of threads, the results must not.
func forEachPart(of count: Int, _ body: (Range<Int>) -> Void) {
    /// Below this many elements a second thread costs more than it saves.
    let smallestSharedCount = 65_536
    let threads = Int(omp_get_max_threads())
    guard threads > 1 && count >= smallestSharedCount else { return body(0..<count) }
    withoutActuallyEscaping(body) { body in
        var work = TeamWork(count: count, body: body)
        withUnsafeMutablePointer(to: &work) { work in
            GOMP_parallel({ $0!.assumingMemoryBound(to: TeamWork.self).pointee.run() }, work, 0, 0)
        }
    }
}

private struct TeamWork {
    let count: Int
    let body: (Range<Int>) -> Void

    /// This thread's part. Parts start at whole cache lines of 16 floats.
    func run() {
        let threads = Int(omp_get_num_threads())
        let lines = (count + 15) / 16
        let thread = Int(omp_get_thread_num())
        let start = min(count, lines * thread / threads * 16)
        let end = min(count, lines * (thread + 1) / threads * 16)
        body(start..<end)
    }
}
