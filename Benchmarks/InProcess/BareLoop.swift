import CPosix
import Glibc
import Journal
import Posix

/// What the machine allows any durable server of one thread: reads from each connection that is
/// ready, writes so many bytes for each over blocks that were written before, syncs once for all of
/// them, and gives each the same answer. No parsing, no state, no checksum, no log.
enum BareLoop {
    private static let eventsPerWait = 256
    /// As many bytes as msorch appends for a message of 256.
    private static let recordSize = 350
    private static let room: UInt64 = 64 << 20
    private static let readSize = 65_536
    private static let answer = """
        HTTP/1.1 200 OK\r
        Content-Type: application/x-amz-json-1.0\r
        Content-Length: 106\r
        \r
        {"MessageId":"\(String(repeating: "x", count: 36))",\
        "MD5OfMessageBody":"\(String(repeating: "x", count: 32))"}
        """

    /// Prints its port, and serves until it is killed.
    static func run(_ options: Options) throws {
        let listener = try Sockets.listen(host: "127.0.0.1", port: 0)
        let poll = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard poll >= 0 else { throw SystemError.last("epoll_create1") }
        try watch(listener, poll)
        let file = try DiskStorage().open(
            "\(options.text("folder", "."))/bare-loop", creating: true)
        let blocks = [UInt8](repeating: UInt8(ascii: "\n"), count: readSize)
        for offset in stride(from: 0, to: room, by: readSize) {
            try file.writeAll(blocks, at: offset)
        }
        try file.sync()
        Report.figure("port", Double(Sockets.port(of: listener)), "")
        try serve(listener, poll, file)
    }

    private static func watch(
        _ socket: borrowing FileDescriptor, _ poll: CInt
    ) throws(SystemError) {
        var event = epoll_event(events: EPOLLIN.rawValue, data: .init(fd: socket.rawValue))
        guard epoll_ctl(poll, EPOLL_CTL_ADD, socket.rawValue, &event) == 0 else {
            throw .last("epoll_ctl")
        }
    }

    private final class Connection {
        let socket: FileDescriptor
        init(_ socket: consuming FileDescriptor) { self.socket = socket }
    }

    private static func serve(
        _ listener: borrowing FileDescriptor, _ poll: CInt, _ file: any JournalFile
    ) throws {
        var connections: [CInt: Connection] = [:]
        var events = [epoll_event](repeating: epoll_event(), count: eventsPerWait)
        let records = [UInt8](
            repeating: UInt8(ascii: "x"), count: recordSize * eventsPerWait)
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: readSize, alignment: 1)
        let answer = Array(answer.utf8)
        var ready: [Connection] = []
        var end: UInt64 = 0
        while true {
            let count = epoll_wait(poll, &events, CInt(eventsPerWait), -1)
            for event in events.prefix(max(0, Int(count))) {
                guard let connection = connections[event.data.fd] else {
                    if let socket = try Sockets.accept(listener) {
                        try watch(socket, poll)
                        connections[socket.rawValue] = Connection(socket)
                    }
                    continue
                }
                switch Sockets.receive(connection.socket, into: scratch) {
                case .bytes: ready.append(connection)
                case .wouldBlock: break
                case .closed: connections[event.data.fd] = nil
                }
            }
            guard !ready.isEmpty else { continue }
            let size = recordSize * ready.count
            if end + UInt64(size) > room { end = 0 }
            _ = try records.withUnsafeBytes {
                try file.write(UnsafeRawBufferPointer(rebasing: $0[..<size]), at: end)
            }
            try file.sync()
            end += UInt64(size)
            for connection in ready {
                _ = answer.withUnsafeBytes { Sockets.write(connection.socket, $0) }
            }
            ready.removeAll(keepingCapacity: true)
        }
    }
}
