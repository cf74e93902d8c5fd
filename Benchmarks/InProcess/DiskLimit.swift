import Journal
import Posix

/// What the disk allows: the same bytes in the same groups, each with one fdatasync, nothing else.
enum DiskLimit {
    /// `--bytes` a group, for `--seconds`, to a file that grows; with `--prepared`, over blocks
    /// that were written before in steps of so many bytes, which counts, too.
    static func run(_ options: Options) throws {
        let path = "\(options.text("folder", "."))/disk-limit"
        let file = try DiskStorage().open(path, creating: true)
        let group = [UInt8](repeating: UInt8(ascii: "x"), count: options.integer("bytes", 400))
        let step = options.integer("prepared", 0)
        let room = [UInt8](repeating: UInt8(ascii: "\n"), count: step)
        var offset: UInt64 = 0
        var prepared: UInt64 = 0
        let load = Load(clients: 1, seconds: options.number("seconds", 3), count: .max)
        let start = SystemClock.monotonicNanoseconds()
        let deadline = start + UInt64(load.seconds * 1e9)
        var groups = 0
        while SystemClock.monotonicNanoseconds() < deadline {
            if step > 0, offset + UInt64(group.count) > prepared {
                try file.writeAll(room, at: prepared)
                prepared += UInt64(step)
            }
            try file.writeAll(group, at: offset)
            try file.sync()
            offset += UInt64(group.count)
            groups += 1
        }
        let took = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        Report.figure("groups", Double(groups) / took, "groups/s")
        try FileSystem.remove(path)
    }
}
