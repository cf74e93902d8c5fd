import Commands
import Foundation
import JSON
import StackModel
import Testing

/// What the documents say of commands and keys is what there is.
@Suite struct DocumentationTests {
    private static func document(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: name), encoding: .utf8)
    }

    @Test("docs/cli.md names every command", arguments: CommandLineTool.commands.map(\.path))
    func commands(path: [String]) throws {
        let text = try Self.document("docs/cli.md")
        let name = path.joined(separator: " ")
        #expect(text.contains("`\(name)") || text.contains("`queue \(name)"))
    }

    @Test("every command has an abstract, and an example that begins with it")
    func help() {
        for command in CommandLineTool.commands {
            #expect(command.abstract.hasSuffix("."))
            #expect(!command.examples.isEmpty, "\(command.path)")
            let name = "msorch " + command.path.joined(separator: " ")
            #expect(command.examples.contains { $0.contains(name) }, "\(command.path)")
        }
    }

    @Test("docs/cli.md lists every exit code", arguments: ExitCode.allCases)
    func exitCodes(code: ExitCode) throws {
        #expect(try Self.document("docs/cli.md").contains("\n| \(code.rawValue) |"))
    }

    @Test("docs/stack.md explains every key")
    func keys() throws {
        let text = try Self.document("docs/stack.md")
        let schema = try JSONValue.parse(try Self.document("docs/stack.schema.json"))
        func visit(_ value: JSONValue) {
            for (key, property) in value["properties"]?.objectValue?.members ?? [] {
                #expect(text.contains("`\(key)`"), "\(key)")
                if let words = property["description"]?.stringValue {
                    #expect(text.contains(words), "\(key): \(words)")
                }
            }
            for (_, inner) in value.objectValue?.members ?? [] { visit(inner) }
            for inner in value.arrayValue ?? [] { visit(inner) }
        }
        visit(schema)
    }

    @Test("docs/security.md names tests that there are")
    func securityTests() throws {
        let text = try Self.document("docs/security.md")
        let names = text.matches(of: /`([A-Za-z]+Tests\/[A-Za-z_]+(\.py)?)`/).map { String($0.1) }
        #expect(Set(names).count > 10)
        for name in Set(names) {
            let file = name.hasSuffix(".py") ? name : name + ".swift"
            #expect(throws: Never.self, "\(name)") { try Self.document("Tests/\(file)") }
        }
    }
}
