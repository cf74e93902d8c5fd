import JSON
import Telemetry

/// What all clients of a run did, since its warm-up.
struct Counts {
    /// How many messages end the run.
    var limit: Int
    /// Messages that were begun, and those that are done.
    var begun = 0
    var messages = 0
    var requests = 0
    /// Receives that found nothing.
    var empties = 0
    /// Answers that are not what was asked for.
    var errors = 0
    /// The first of them.
    var failure: String?
    /// What the subject measures: microseconds.
    var times = StatisticSet()

    init(limit: Int) { self.limit = limit }

    mutating func note(microseconds: Double) { times.add(microseconds) }

    mutating func fail(_ answer: Answer) {
        errors += 1
        failure =
            failure
            ?? "\(answer.status) \(String(decoding: answer.body.prefix(300), as: UTF8.self))"
    }

    /// Members as `Benchmarks/measure/load.py` reads them.
    func json(seconds: Double) -> JSONValue {
        [
            "seconds": .double(seconds), "requests": .int(requests),
            "messages": .int(messages), "rate": .double(Double(messages) / seconds),
            "empties": .int(empties), "errors": .int(errors),
            "failure": failure.map { .string($0) } ?? .null,
            "p50": .double(times.percentile(50) ?? 0), "p99": .double(times.percentile(99) ?? 0),
            "max": .double(times.isEmpty ? 0 : times.maximum),
        ]
    }
}
