import Glibc

/// Processes and their children, as `/proc` tells.
package enum ProcessTree {
    /// Deeper trees are cut off.
    private static let limit = 10_000

    /// Every living descendant, parents first.
    package static func descendants(of process: Int32) -> [Int32] {
        var found: [Int32] = []
        var next = [process]
        while let parent = next.popLast(), found.count < limit {
            let children = self.children(of: parent)
            found += children
            next += children
        }
        return found
    }

    /// Memory that descendants hold now, in bytes. What they share, as after a fork, counts for
    /// each.
    static func residentBytes(below process: Int32) -> UInt64 {
        descendants(of: process).reduce(0) { $0 + residentBytes(of: $1) }
    }

    /// The same, but what several share counts once, in parts. Takes as long as they are large.
    static func proportionalBytes(below process: Int32) -> UInt64 {
        descendants(of: process).reduce(0) { sum, descendant in
            sum + (proportionalBytes(of: descendant) ?? residentBytes(of: descendant))
        }
    }

    /// Nothing if it is gone.
    private static func residentBytes(of process: Int32) -> UInt64 {
        guard let text = try? FileSystem.read("/proc/\(process)/statm") else { return 0 }
        let words = String(decoding: text, as: UTF8.self).split(separator: " ")
        guard words.count > 1, let pages = UInt64(words[1]) else { return 0 }
        return pages * UInt64(sysconf(CInt(_SC_PAGESIZE)))
    }

    /// `nil` if it is gone, or does not let us look.
    private static func proportionalBytes(of process: Int32) -> UInt64? {
        guard let text = try? FileSystem.read("/proc/\(process)/smaps_rollup") else { return nil }
        let words = String(decoding: text, as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix("Pss:") }?.split(separator: " ")
        guard let words, words.count > 1, let kilobytes = UInt64(words[1]) else { return nil }
        return kilobytes * 1024
    }

    private static func children(of process: Int32) -> [Int32] {
        guard let tasks = try? FileSystem.list("/proc/\(process)/task") else { return [] }
        return tasks.flatMap { task -> [Int32] in
            let path = "/proc/\(process)/task/\(task)/children"
            guard let text = try? FileSystem.read(path) else { return [] }
            return String(decoding: text, as: UTF8.self).split(separator: " ").compactMap {
                Int32($0)
            }
        }
    }
}
