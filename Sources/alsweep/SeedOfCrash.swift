import Foundation
import Synchronization

/// A broken invariant traps, and ends the process: the seed that it was found with must not get lost.
enum SeedOfCrash {
    private static let seed = Atomic<UInt64>(0)

    static func set(_ value: UInt64) { seed.store(value, ordering: .relaxed) }

    /// From now on a trap says the seed first.
    static func tellSeed() {
        // Touched here first, so that the handler finds it made.
        set(0)
        for number in [SIGILL, SIGTRAP] {
            signal(number) { number in
                SeedOfCrash.write()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    /// Only what a signal's handler may do: no allocation, no lock.
    private static func write() {
        var rest = seed.load(ordering: .relaxed)
        let tail: StaticString = ": an invariant of the simulated program is broken\n"
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { digits in
            var place = digits.count
            repeat {
                place -= 1
                digits[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            let head: StaticString = "error: seed "
            _ = Glibc.write(STDERR_FILENO, head.utf8Start, head.utf8CodeUnitCount)
            _ = Glibc.write(STDERR_FILENO, digits.baseAddress! + place, digits.count - place)
            _ = Glibc.write(STDERR_FILENO, tail.utf8Start, tail.utf8CodeUnitCount)
        }
    }
}
