import ArgumentParser
import Foundation

/// How long something may take, as people write it: `3600`, `90m`, `11h30m`, `2d`.
struct Walltime: ExpressibleByArgument {
    let seconds: Int

    init?(argument: String) {
        if let seconds = Int(argument) {
            self.init(seconds)
            return
        }
        guard !argument.isEmpty,
            let match = argument.wholeMatch(of: /(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?/)
        else { return nil }
        let parts = [
            (match.1, 86_400), (match.2, 3_600), (match.3, 60), (match.4, 1),
        ]
        var sum = 0
        for (digits, unit) in parts {
            guard let digits else { continue }
            guard let number = Int(digits), number <= Self.limit else { return nil }
            sum += number * unit
        }
        self.init(sum)
    }

    private static let limit = 100_000_000

    private init?(_ seconds: Int) {
        guard (1...Self.limit).contains(seconds) else { return nil }
        self.seconds = seconds
    }
}

/// When a worker ends: a time of the day, the next one, or an instant of ISO 8601.
struct WorkerEnd: ExpressibleByArgument {
    private enum Form {
        case timeOfDay(hour: Int, minute: Int)
        case instant(Date)
    }

    private let form: Form

    init?(argument: String) {
        if let match = argument.wholeMatch(of: /(\d{1,2}):(\d{2})/), let hour = Int(match.1),
            let minute = Int(match.2), hour < 24, minute < 60
        {
            form = .timeOfDay(hour: hour, minute: minute)
        } else if let date = ISO8601DateFormatter().date(from: argument) {
            form = .instant(date)
        } else {
            return nil
        }
    }

    /// At least one: what lies in the past ends at once.
    func seconds(after now: Date, calendar: Calendar = .current) -> Int {
        let end: Date?
        switch form {
        case .instant(let date): end = date
        case .timeOfDay(let hour, let minute):
            end = calendar.nextDate(
                after: now, matching: DateComponents(hour: hour, minute: minute),
                matchingPolicy: .nextTime)
        }
        return max(1, Int((end ?? now).timeIntervalSince(now)))
    }
}
