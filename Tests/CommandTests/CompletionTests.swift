import Foundation
import Posix
import TestSupport
import Testing

/// What is made for shells, in real ones.
@Suite struct CompletionTests {
    private static func shell(_ name: String) -> String? {
        ["/bin", "/usr/bin", "/usr/local/bin"].map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static let rows: [(words: String, expected: [String])] = [
        ("que", ["queue"]), ("queue st", ["stats"]), ("completions ", ["bash", "zsh", "fish"]),
        ("deploy --pl", ["--plan"]), ("queue stats --output ", ["text", "json", "csv"]),
        ("send Ord", ["Orders"]), ("queue history x Pay", ["Payments"]),
        ("queue replay Orders --fr", ["--from"]), ("queue tail Orders -n", ["-n"]),
        ("queue stats Orders Pay", ["Payments"]),
        ("queue create --durability o", ["os"]), ("nonsense wo", []),
        ("help queue st", ["stats"]), ("help queue stats x", []), ("hel", ["help"]),
        ("--qu", ["--quiet"]), ("--quiet que", ["queue"]), ("--output ", ["text", "json", "csv"]),
        ("-C shop queue st", ["stats"]), ("-C shop send ", ["Inner"]),
        ("--state-dir=shop/.msorch send ", ["Inner"]), ("send -C shop ", ["Inner"]),
        ("-C shop keys show ", ["ci"]), ("-C shop keys rm ", ["ci"]), ("-C shop keys create c", []),
        ("-C shop users token ", ["ana"]), ("-C shop users add a", []),
        ("-C shop metrics ", ["Inner"]), ("-C shop iam simulate ", ["ci"]),
        ("-C shop iam simulate ci sqs:SendMessage ", ["Inner"]),
    ]

    private func complete(_ shell: String, _ script: (String) -> String) throws {
        let program = try #require(Self.shell(shell))
        let folder = try TemporaryFolder("completions")
        for queue in ["Orders", "Payments"] {
            _ = try BuiltExecutable.run(
                BuiltExecutable.folder + "/msorch", ["queue", "create", queue], in: folder.path)
        }
        let other = try BuiltExecutable.run(
            "/bin/bash",
            [
                "-c",
                """
                mkdir shop; cd shop
                echo '{"lambdas": {}, "queues": {"Inner": {}}, "security": {"userPool": {}}}' \
                    > stack.json
                msorch deploy --quiet && msorch keys create ci --quiet && msorch users add ana
                """,
            ], in: folder.path)
        try #require(other.status == 0, "\(other)")
        for (words, expected) in Self.rows {
            let result = try BuiltExecutable.run(
                program, ["-c", script(words)], in: folder.path)
            let found = result.output.split(separator: "\n").map(String.init)
            #expect(found.sorted() == expected.sorted(), "\(shell): \(words): \(result.error)")
        }
    }

    @Test(
        "a key's lines are for every shell, and leave no session's token",
        arguments: ["sh", "bash", "zsh", "fish"].filter { shell($0) != nil })
    func key(shell: String) throws {
        let folder = try TemporaryFolder("shells")
        try "{\"queues\": {}, \"lambdas\": {}}".write(
            toFile: folder.path + "/stack.json", atomically: true, encoding: .utf8)
        let result = try BuiltExecutable.run(
            try #require(Self.shell(shell)),
            [
                "-c",
                """
                msorch deploy --quiet; msorch keys create ci > made
                eval "$(msorch keys show ci --secret)"
                test -z "$AWS_SESSION_TOKEN" && env | grep -c 'AWS_[AS].*KEY[_ID]*=..'
                """,
            ], in: folder.path, environment: ["AWS_SESSION_TOKEN": "left"])
        #expect(result.output == "2\n" && !result.error.contains("nknown"), "\(result)")
    }

    @Test("bash", .enabled(if: shell("bash") != nil))
    func bash() throws {
        try complete("bash") { words in
            """
            source <(msorch completions bash)
            line='msorch \(words)'
            COMP_WORDS=($line); [[ $line == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _msorch; printf '%s\\n' "${COMPREPLY[@]}"
            """
        }
    }

    @Test("zsh", .enabled(if: shell("zsh") != nil))
    func zsh() throws {
        try complete("zsh") { words in
            """
            compdef() { :; }; compadd() { shift; print -l -- "$@"; }; _files() { :; }
            source <(msorch completions zsh)
            line='msorch \(words)'
            words=(${=line}); [[ $line == *' ' ]] && words+=('')
            CURRENT=${#words}
            _msorch
            """
        }
    }

    @Test("fish", .enabled(if: shell("fish") != nil))
    func fish() throws {
        try complete("fish") { words in
            "msorch completions fish | source; complete -C 'msorch \(words)'"
        }
    }
}
