import JSON
import Posix

/// A small JSON file of the state directory that several processes change: one at a time, each from
/// what it finds. For its owner's eyes only.
struct StateFile: Sendable {
    /// How long another process may take for its change.
    private static let patience: Int32 = 5000

    let path: String

    var stamp: FileStamp? { FileSystem.stamp(of: path) }

    /// - Returns: `nil` if there is no file.
    func read() throws -> JSONObject? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try FileSystem.read(path)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONValue.parse(bytes)
        } catch {
            throw StateFileError.unreadable(path, "line \(error.position.line): \(error.message)")
        }
        guard let object = json.objectValue else {
            throw StateFileError.unreadable(path, "it is no JSON object")
        }
        return object
    }

    /// Changes what is there, on the disk when this returns; no other process changes it meanwhile.
    /// A `change` that throws writes nothing.
    ///
    /// - Parameter evenUnchanged: whether it is written, too, when `change` leaves everything as it
    ///   is: for callers who must not learn that by the time that it takes.
    func update<R>(
        evenUnchanged: Bool = false, _ change: (inout JSONObject) throws -> R
    ) throws -> R {
        try FileSystem.makeDirectory(FileSystem.parent(of: path))
        let lock = try FileDescriptor(updating: "\(path).lock", creating: true)
        guard try lock.lock(milliseconds: Self.patience) else {
            throw StateFileError.busy(path, holder: FileSystem.lockHolder(of: try lock.status()))
        }
        let old = try read()
        var json = old ?? JSONObject()
        let result = try change(&json)
        if evenUnchanged || json != old {
            let text = JSONValue.object(json).serialized(pretty: true) + "\n"
            try FileSystem.replace(path, with: Array(text.utf8))
        }
        return result
    }
}

package enum StateFileError: Error, Equatable, Sendable {
    case unreadable(String, String)
    case busy(String, holder: Int32?)
}

extension StateFileError: CustomStringConvertible {
    /// What happened, for whoever asked: a sentence without its full stop.
    package var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path) cannot be used: \(reason)"
        case .busy(let path, let holder):
            "\(path) has been locked by \(holder.map { "process \($0)" } ?? "another process") "
                + "for over 5 seconds"
        }
    }
}
