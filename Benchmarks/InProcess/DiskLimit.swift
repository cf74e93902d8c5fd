import Journal
import Posix

/// What the disk allows: the same bytes in the same groups, each with one fdatasync, nothing else.
enum DiskLimit {
    /// `--bytes` a group, for `--seconds`, to a file that grows as a segment does.
    static func run(_ options: Options) throws {
        let path = "\(options.text("folder", "."))/disk-limit"
        let file = try DiskStorage().open(path, creating: true)
        let group = [UInt8](repeating: UInt8(ascii: "x"), count: options.integer("bytes", 400))
        var offset: UInt64 = 0
        let load = Load(clients: 1, seconds: options.number("seconds", 3), count: .max)
        let start = SystemClock.monotonicNanoseconds()
        let deadline = start + UInt64(load.seconds * 1e9)
        var groups = 0
        while SystemClock.monotonicNanoseconds() < deadline {
            var done = 0
            while done < group.count {
                done += try group.withUnsafeBytes { bytes in
                    try file.write(
                        UnsafeRawBufferPointer(rebasing: bytes[done...]),
                        at: offset + UInt64(done))
                }
            }
            try file.sync()
            offset += UInt64(group.count)
            groups += 1
        }
        let took = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        Report.figure("groups", Double(groups) / took, "groups/s")
        try FileSystem.remove(path)
    }
}
