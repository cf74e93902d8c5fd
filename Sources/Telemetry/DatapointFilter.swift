import JSON

/// Which datapoints somebody wants.
package struct DatapointFilter: Sendable {
    private let start: Timestamp
    private let end: Timestamp
    /// `nil` is all.
    private let metrics: Set<Metric>?
    /// Namespaces and names, once each.
    private let names: [(namespace: [UInt8], name: [UInt8])]

    /// - Parameters:
    ///   - start: included.
    ///   - end: excluded.
    ///   - metrics: `nil` is all.
    package init(from start: Timestamp, to end: Timestamp, of metrics: Set<Metric>? = nil) {
        self.start = start
        self.end = end
        self.metrics = metrics
        let named = Set((metrics ?? []).map { Metric($0.namespace, $0.name) })
        names = named.map { (Array($0.namespace.utf8), Array($0.name.utf8)) }
    }

    /// The datapoint of a line, if it is one that is wanted.
    package func datapoint(line: UnsafeRawBufferPointer) -> Datapoint? {
        guard mayPass(line), let json = try? JSONValue.parse(Array(line)),
            let datapoint = Datapoint(json: json), datapoint.time >= start, datapoint.time < end,
            metrics?.contains(datapoint.metric) != false
        else { return nil }
        return datapoint
    }

    /// Whether a line is worth being read: of one that begins as `Datapoint.append` begins it, the
    /// time and the metric's name are known at a glance.
    private func mayPass(_ line: UnsafeRawBufferPointer) -> Bool {
        var text = LineBeginning(rest: line[...])
        guard text.skip("{\"timestamp\":"), let time = text.number(), text.skip(",\"namespace\":")
        else { return true }
        guard time >= start.milliseconds, time < end.milliseconds else { return false }
        guard metrics != nil, let namespace = text.plainString(), text.skip(",\"metric\":"),
            let name = text.plainString()
        else { return true }
        return names.contains { wanted in
            wanted.name.elementsEqual(name) && wanted.namespace.elementsEqual(namespace)
        }
    }
}

/// Takes from the beginning of a line what has its most common form.
private struct LineBeginning {
    var rest: Slice<UnsafeRawBufferPointer>

    mutating func skip(_ text: StaticString) -> Bool {
        let expected = UnsafeRawBufferPointer(
            start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard rest.starts(with: expected) else { return false }
        rest = rest.dropFirst(expected.count)
        return true
    }

    /// A whole number of at most 18 digits.
    mutating func number() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while count < 18, let byte = rest.first, (48...57).contains(byte) {
            value = value * 10 + Int64(byte - 48)
            rest = rest.dropFirst()
            count += 1
        }
        return count > 0 ? value : nil
    }

    /// A string without escapes.
    mutating func plainString() -> Slice<UnsafeRawBufferPointer>? {
        guard rest.first == UInt8(ascii: "\"") else { return nil }
        let inside = rest.dropFirst().prefix {
            $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        rest = rest[inside.endIndex...]
        guard rest.first == UInt8(ascii: "\"") else { return nil }
        rest = rest.dropFirst()
        return inside
    }
}
