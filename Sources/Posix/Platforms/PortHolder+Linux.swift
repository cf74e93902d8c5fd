import Glibc

/// Who listens on a port, as `/proc` tells.
package enum PortHolder {
    private static let listening = "0A"

    /// The process that listens on `port`; `nil` if none does, or it is another user's.
    package static func find(_ port: UInt16) -> Int32? {
        let sockets = Set(
            ["/proc/net/tcp", "/proc/net/tcp6"].flatMap { inodes(in: $0, port) }
                .map { "socket:[\($0)]" })
        guard !sockets.isEmpty, let names = try? FileSystem.list("/proc") else { return nil }
        for process in names.compactMap({ Int32($0) }) {
            let folder = "/proc/\(process)/fd"
            let files = (try? FileSystem.list(folder)) ?? []
            let holds = files.contains { file in
                FileSystem.linkTarget("\(folder)/\(file)").map(sockets.contains) ?? false
            }
            if holds { return process }
        }
        return nil
    }

    /// Columns (proc_pid_net(5)): number, local address and port, remote, state, …, inode as tenth.
    private static func inodes(in path: String, _ port: UInt16) -> [Substring] {
        guard let text = try? FileSystem.read(path) else { return [] }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst()
            .compactMap { line in
                let words = line.split(separator: " ")
                guard words.count > 9, words[3] == listening,
                    words[1].split(separator: ":").last.flatMap({ UInt16($0, radix: 16) }) == port
                else { return nil }
                return words[9]
            }
    }
}
