import Posix

/// The lines that `Benchmarks/run` reads.
enum Report {
    /// Prints `name: value unit`, at once: the reader may wait for it.
    static func figure(_ name: String, _ value: Double, _ unit: String) {
        let rounded = (value * 1000).rounded() / 1000
        StandardStream.output.write("\(name): \(rounded) \(unit)\n".utf8)
    }

    /// The highest that this process ever took of the machine's memory.
    static func residentMegabytes() -> Double {
        guard let bytes = try? FileSystem.read("/proc/self/status") else { return 0 }
        let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix("VmHWM:") }
        let kilobytes = line?.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }.first
        return (kilobytes ?? 0) / 1024
    }

    static func median(_ values: [Double]) -> Double {
        values.isEmpty ? 0 : values.sorted()[values.count / 2]
    }

    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = SystemClock.monotonicNanoseconds()
        try body()
        return Double(SystemClock.monotonicNanoseconds() - start) / 1e9
    }
}
