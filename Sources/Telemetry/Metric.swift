/// One name and value that tell a metric apart, such as `FunctionName` = `CreateOrderService`.
package struct Dimension: Hashable, Comparable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    package static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.name, lhs.value) < (rhs.name, rhs.value)
    }
}

/// What a metric is, as CloudWatch sees it: namespace, name and dimensions, whose order is nothing.
package struct Metric: Hashable, Comparable, Sendable {
    package let namespace: String
    package let name: String
    /// Sorted by name.
    package let dimensions: [Dimension]

    package init(_ namespace: String, _ name: String, _ dimensions: [Dimension] = []) {
        self.namespace = namespace
        self.name = name
        self.dimensions = dimensions.count > 1 ? dimensions.sorted() : dimensions
    }

    package subscript(dimension name: String) -> String? {
        dimensions.first { $0.name == name }?.value
    }

    package static func < (lhs: Self, rhs: Self) -> Bool {
        if lhs.namespace != rhs.namespace { return lhs.namespace < rhs.namespace }
        if lhs.dimensions != rhs.dimensions {
            return lhs.dimensions.lexicographicallyPrecedes(rhs.dimensions)
        }
        return lhs.name < rhs.name
    }
}

/// CloudWatch's units, under CloudWatch's names.
package enum MetricUnit: String, Sendable, CaseIterable {
    case seconds = "Seconds"
    case microseconds = "Microseconds"
    case milliseconds = "Milliseconds"
    case bytes = "Bytes"
    case kilobytes = "Kilobytes"
    case megabytes = "Megabytes"
    case gigabytes = "Gigabytes"
    case terabytes = "Terabytes"
    case bits = "Bits"
    case kilobits = "Kilobits"
    case megabits = "Megabits"
    case gigabits = "Gigabits"
    case terabits = "Terabits"
    case percent = "Percent"
    case count = "Count"
    case bytesPerSecond = "Bytes/Second"
    case kilobytesPerSecond = "Kilobytes/Second"
    case megabytesPerSecond = "Megabytes/Second"
    case gigabytesPerSecond = "Gigabytes/Second"
    case terabytesPerSecond = "Terabytes/Second"
    case bitsPerSecond = "Bits/Second"
    case kilobitsPerSecond = "Kilobits/Second"
    case megabitsPerSecond = "Megabits/Second"
    case gigabitsPerSecond = "Gigabits/Second"
    case terabitsPerSecond = "Terabits/Second"
    case countPerSecond = "Count/Second"
    case none = "None"
}
