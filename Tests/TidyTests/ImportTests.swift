import Foundation
import Testing

/// The house rules that a compiler does not check: which module may see which, and which may see
/// the world.
@Suite struct ImportTests {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static let system: Set<String> = [
        "Glibc", "Darwin", "Foundation", "Dispatch", "CPosix",
    ]

    /// What each module may import beside the standard library and Synchronization.
    private static let allowed: [String: Set<String>] = [
        "JSON": [],
        "QueueModel": ["JSON"],
        // libcrypto's Base64, too.
        "GatewayModel": ["JSON", "Crypto"],
        "StackModel": ["JSON", "QueueModel", "Access", "GatewayModel"],
        "FunctionModel": ["JSON"],
        "Telemetry": ["JSON"],
        // libcrypto's digests are values in, values out.
        "Access": ["JSON", "Crypto"],
        "Crypto": ["CCrypto"],
        "Compression": ["CZlib"],
        "Posix": ["CPosix", "Glibc"],
        "HTTP": ["Posix"],
        "Journal": ["Posix", "JSON", "CZlib"],
        "Services": [
            "Journal", "HTTP", "QueueModel", "StackModel", "FunctionModel", "GatewayModel",
            "Telemetry", "Access", "Posix", "JSON", "Crypto", "Compression",
        ],
        "Commands": [
            "Services", "Journal", "QueueModel", "StackModel", "FunctionModel", "GatewayModel",
            "Telemetry", "Access", "HTTP", "Posix", "JSON", "Crypto", "Compression",
        ],
        "msorch": ["Commands", "Posix"],
    ]

    private static func sources(of module: String) throws -> [(file: String, lines: [Substring])] {
        let folder = root.appending(path: "Sources/\(module)")
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        return try (files?.compactMap { $0 as? URL } ?? [])
            .filter { $0.pathExtension == "swift" }
            .map { ($0.lastPathComponent, try String(contentsOf: $0, encoding: .utf8)) }
            .map { ($0.0, $0.1.split(separator: "\n", omittingEmptySubsequences: false)) }
    }

    @Test("arrows go down only", arguments: allowed.keys.sorted())
    func imports(module: String) throws {
        let allowed = try #require(Self.allowed[module])
        let sources = try Self.sources(of: module)
        #expect(!sources.isEmpty, "Sources/\(module) holds no Swift file")
        for (file, lines) in sources {
            for line in lines where line.hasPrefix("import ") {
                let name = String(line.dropFirst("import ".count))
                #expect(
                    allowed.contains(name) || name == "Synchronization",
                    "\(module)/\(file) may not import \(name)")
            }
        }
    }

    @Test("every module has its rule")
    func everyModule() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Self.root.appending(path: "Sources").path)
        let ruled = Set(Self.allowed.keys).union(["CCrypto", "CZlib", "CPosix"])
        #expect(Set(folders) == ruled)
    }

    @Test("no file outgrows its reader's screen: 100 columns", arguments: allowed.keys.sorted())
    func lineLength(module: String) throws {
        for (file, lines) in try Self.sources(of: module) where !file.hasSuffix("Runtime.swift") {
            for (number, line) in lines.enumerated() where line.count > 100 {
                Issue.record("\(module)/\(file):\(number + 1) has \(line.count) columns")
            }
        }
    }
}
