import HTTP
import JSON
import Posix

/// What a running `serve` leaves in `run/serve.json` for other commands.
package struct ServerRecord: Equatable, Sendable {
    package var process: Int32
    /// `http://127.0.0.1:4566`.
    package var endpointURL: String
    package var gatewayURL: String
    package var started: Timestamp

    package init(process: Int32, endpointURL: String, gatewayURL: String, started: Timestamp) {
        self.process = process
        self.endpointURL = endpointURL
        self.gatewayURL = gatewayURL
        self.started = started
    }

    private init?(json: JSONValue) {
        guard let process = json["pid"]?.intValue, let pid = Int32(exactly: process),
            let endpointURL = json["endpoint"]?.stringValue,
            let gatewayURL = json["gateway"]?.stringValue,
            let started = json["since"]?.stringValue.flatMap({ Timestamp(iso8601: $0) })
        else { return nil }
        self.init(
            process: pid, endpointURL: endpointURL, gatewayURL: gatewayURL, started: started)
    }

    /// - Parameter line: what a `serve` wrote of itself; `nil` for anything else.
    package init?(line: [UInt8]) {
        guard let json = try? JSONValue.parse(line), let record = ServerRecord(json: json),
            record.json == json
        else { return nil }
        self = record
    }

    package var json: JSONValue {
        [
            "pid": .int(Int64(process)), "endpoint": .string(endpointURL),
            "gateway": .string(gatewayURL), "since": .string(started.iso8601),
        ]
    }

    static func path(_ stateDirectory: String) -> String { "\(stateDirectory)/run/serve.json" }

    /// What was written last; the process may be gone.
    static func read(_ stateDirectory: String) -> ServerRecord? {
        guard let bytes = try? FileSystem.read(path(stateDirectory)),
            let json = try? JSONValue.parse(bytes)
        else { return nil }
        return ServerRecord(json: json)
    }

    /// The `serve` that runs on a state directory; `nil` if none does.
    package static func running(_ stateDirectory: String) -> ServerRecord? {
        guard let record = read(stateDirectory), ProcessEnvironment.isRunning(record.process),
            let lock = try? FileDescriptor(reading: RunFolder.lockPath(stateDirectory)),
            let isFree = try? lock.trySharedLock()
        else { return nil }
        if isFree { lock.unlock() }
        return isFree ? nil : record
    }
}

/// The folder `run` of a state directory, held by the one `serve` that may run on it.
struct RunFolder: ~Copyable {
    /// Who only asks whether somebody holds the lock holds it for a moment.
    private static let attempts = 50
    private static let pause: UInt32 = 2000

    private let stateDirectory: String
    private let lock: FileDescriptor

    static func lockPath(_ stateDirectory: String) -> String { "\(stateDirectory)/run/serve.lock" }

    /// - Throws: `ServerError.alreadyRunning`.
    init(_ stateDirectory: String) throws {
        self.stateDirectory = stateDirectory
        lock = try Self.takeLock(stateDirectory)
    }

    private static func takeLock(_ stateDirectory: String) throws -> FileDescriptor {
        let path = lockPath(stateDirectory)
        var attempt = 0
        while true {
            try FileSystem.makeDirectory("\(stateDirectory)/run")
            let lock = try FileDescriptor(updating: path, creating: true)
            while try !lock.tryLock() {
                attempt += 1
                guard attempt < attempts else {
                    let record = ServerRecord.read(stateDirectory)
                    let holder = FileSystem.lockHolder(of: try lock.status())
                    throw ServerError.alreadyRunning(
                        process: holder ?? record?.process, url: record?.endpointURL)
                }
                SystemClock.pause(microseconds: pause)
            }
            // A destroy may have taken the folder away meanwhile.
            if lock.isNamed(path) { return lock }
        }
    }

    /// Tells other commands where this process serves. On a full disk it serves all the same: who
    /// has the address can empty the queues.
    borrowing func publish(
        _ record: ServerRecord, warn: (String) -> Void
    ) throws(SystemError) {
        let bytes = Array((record.json.serialized() + "\n").utf8)
        // What a killed one left: its room may be all there is.
        withdraw()
        do throws(SystemError) {
            try FileSystem.replace(ServerRecord.path(stateDirectory), with: bytes)
        } catch {
            guard error.isNoSpace else { throw error }
            warn("Other commands will not find this server: \(error).")
        }
    }

    /// From here on nobody is sent here any more.
    borrowing func withdraw() {
        try? FileSystem.remove(ServerRecord.path(stateDirectory))
    }
}

/// Why a server does not start.
package enum ServerError: Error, Equatable, Sendable {
    case alreadyRunning(process: Int32?, url: String?)
    case portInUse(UInt16, holder: Int32?)
    case cannotListen(String, reason: String)
}
