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

    /// Memory that descendants hold now, in bytes.
    static func residentBytes(below process: Int32) -> UInt64 {
        let page = UInt64(sysconf(CInt(_SC_PAGESIZE)))
        return descendants(of: process).reduce(0) { sum, descendant in
            guard let text = try? FileSystem.read("/proc/\(descendant)/statm") else { return sum }
            let words = String(decoding: text, as: UTF8.self).split(separator: " ")
            guard words.count > 1, let pages = UInt64(words[1]) else { return sum }
            return sum + pages * page
        }
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
