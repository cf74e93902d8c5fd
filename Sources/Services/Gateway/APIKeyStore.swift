import Crypto
import JSON
import Posix

/// The values of an API's keys, by their names: `.msorch/api-keys.json`, for its owner's eyes only.
/// A key that leaves the stack keeps its value for when it comes back, and counts for nothing.
package struct APIKeyStore: Sendable {
    /// Letters and digits of a value, as many as AWS makes.
    private static let length = 40

    private let path: String

    package init(stateDirectory: String) { path = "\(stateDirectory)/api-keys.json" }

    package func load() throws -> [String: String] {
        guard FileSystem.exists(path) else { return [:] }
        let json = try JSONValue.parse(try FileSystem.read(path))
        return Dictionary(
            (json.objectValue?.members ?? []).compactMap { name, value in
                value.stringValue.map { (name, $0) }
            }, uniquingKeysWith: { $1 })
    }

    /// Makes a value for each key that has none. Whoever calls holds the deploy lock.
    package func ensure(_ names: [String]) throws {
        var values = try load()
        let missing = names.filter { values[$0] == nil }
        guard !missing.isEmpty else { return }
        for name in missing { values[name] = Self.make() }
        let json = JSONObject(
            values.sorted { $0.key < $1.key }.map { (key: $0.key, value: .string($0.value)) })
        let text = JSONValue.object(json).serialized(pretty: true) + "\n"
        try FileSystem.replace(path, with: Array(text.utf8))
    }

    private static func make() -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var value: [UInt8] = []
        while value.count < length {
            // Bytes beyond the last whole round would favour some letters.
            value += RandomBytes.make(count: 2 * length)
                .filter { Int($0) < 256 / letters.count * letters.count }
                .map { letters[Int($0) % letters.count] }
        }
        return String(decoding: value.prefix(length), as: UTF8.self)
    }
}
