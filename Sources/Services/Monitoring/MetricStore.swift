import JSON
import Posix
import Telemetry

/// A stack's metrics: a file a day, one datapoint a line. Any number of processes append.
package struct MetricStore: Sendable {
    /// As CloudWatch keeps datapoints of a minute.
    private static let retention = Duration.seconds(15 * 86_400)

    private let folder: String

    package init(stateDirectory: String) { folder = "\(stateDirectory)/metrics" }

    /// Appends whole lines, in one write for those of a day that stand together, and takes what is
    /// written out of `datapoints`, also where it throws. With the first of a day, days that are
    /// too old go.
    package func append(_ datapoints: inout [Datapoint]) throws(SystemError) {
        while let time = datapoints.first?.time {
            let day = time.date
            let path = "\(folder)/\(day).jsonl"
            if !FileSystem.exists(path) {
                try FileSystem.makeDirectory(folder)
                removeDays(before: time - Self.retention)
            }
            var lines = LineBatch()
            for datapoint in datapoints.prefix(while: { $0.time.date == day }) {
                lines.append { datapoint.append(to: &$0) }
            }
            let (written, failure) = lines.write(to: path)
            datapoints.removeFirst(written)
            if let failure { throw failure }
        }
    }

    /// What cannot be removed keeps nothing from being written; the next day tries again.
    private func removeDays(before time: Timestamp) {
        let oldest = "\(time.date).jsonl"
        for name in (try? FileSystem.list(folder)) ?? []
        where name < oldest && name.hasSuffix(".jsonl") {
            try? FileSystem.remove("\(folder)/\(name)")
        }
    }

    /// The datapoints from `start` (included) to `end` (excluded), as they were written. A line
    /// that a crash has cut is passed over.
    ///
    /// - Parameter metrics: `nil` is all.
    package func read(
        from start: Timestamp, to end: Timestamp, of metrics: Set<Metric>? = nil
    ) throws(SystemError) -> [Datapoint] {
        guard FileSystem.isDirectory(folder) else { return [] }
        let filter = DatapointFilter(from: start, to: end, of: metrics)
        var datapoints: [Datapoint] = []
        for name in try FileSystem.list(folder) {
            let day = name.prefix(10)
            guard day >= start.date, day <= end.date else { continue }
            try FileSystem.readLines("\(folder)/\(name)") { line in
                if let datapoint = filter.datapoint(line: line) { datapoints.append(datapoint) }
            }
        }
        return datapoints
    }
}
