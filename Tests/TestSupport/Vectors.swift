import Foundation
import JSON

/// Public test vectors that are not part of the repository: `MSORCH_VECTORS`, else
/// `../shared/vectors` beside it (docs/testing.md).
package enum Vectors {
    private static let folder: URL = {
        if let named = ProcessInfo.processInfo.environment["MSORCH_VECTORS"] {
            return URL(filePath: named)
        }
        return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "shared/vectors")
    }()

    /// A file of vectors; `nil` if it is not there.
    package static func load(_ name: String) -> JSONValue? {
        guard let bytes = try? Data(contentsOf: folder.appending(path: name)) else { return nil }
        return try? JSONValue.parse(Array(bytes))
    }
}
