import Foundation
import TestSupport
import Testing

/// Commands whose standard output nobody reads: pipes without a reader, closed, or full.
@Suite struct ReaderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("reader") }

    private func shell(_ script: String) throws -> BuiltExecutable.Result {
        let prelude = #"""
            # Number 4 is a pipe whose reader has left.
            mkfifo left; exec 3<>left; exec 4>left; exec 3<&-
            # Until a command succeeds.
            soon() { for n in {1..3000}; do "$@" && return; sleep 0.01; done; echo "never: $*"; }
            echo '{"lambdas": {}, "queues": {"Q": {}}}' > stack.json

            """#
        return try BuiltExecutable.run("/bin/bash", ["-c", prelude + script], in: folder.path)
    }

    @Test("a deploy changes what it would, whoever reads what that is")
    func deploy() throws {
        let result = try shell(
            """
            msorch deploy --quiet >&4; echo "left $?"; msorch deploy --plan --quiet; echo "plan $?"
            echo '{"lambdas": {}, "queues": {"Q": {}, "R": {}}}' > stack.json
            msorch deploy --quiet > /dev/full; echo "full $?"
            msorch deploy --plan --quiet; echo "plan $?"
            """)
        #expect(result.output == "left 0\nplan 0\nfull 74\nplan 0\n", "\(result)")
        #expect(
            result.error == """
                error: No space left on device (write to standard output).
                hint: The stack is deployed.

                """)
    }

    @Test("logs are followed as long as somebody reads them, also while none come")
    func logs() throws {
        let result = try shell("timeout 20 msorch logs --follow >&4; echo $?")
        #expect(result.output == "0\n" && result.error.isEmpty, "\(result)")
    }

    @Test("serve serves, whoever reads that it is ready", arguments: [">&4", ">&-", ">/dev/full"])
    func serve(output: String) throws {
        let result = try shell(
            """
            msorch deploy --quiet > /dev/null
            msorch serve --port 0 --gateway-port 0 --ready-file ready \(output) 2> words & pid=$!
            soon grep -q 'ready line' words
            msorch status --output json | grep -c '"pid":'$pid,; grep -c '"pid":'$pid, ready
            kill $pid; wait $pid; echo "end $?"; grep -c Stopping words
            """)
        #expect(result.output == "1\n1\nend 0\n1\n", "\(result)")
    }

    @Test("an export that is asked to end writes no further lines, and only whole ones")
    func export() throws {
        let result = try shell(
            #"""
            msorch queue create Q --quiet
            yes "$(printf 'x%.0s' {1..1000})" | head -2000 | msorch send Q - --quiet
            mkfifo p; msorch queue export Q > p & pid=$!
            exec 5< p; IFS= read -r line <&5
            kill $pid; soon grep -q 'ShdPnd:.0*$' /proc/$pid/status
            count=$(jq .Body <&5 | wc -l); wait $pid; echo "$? $((count < 1999))"
            """#)
        #expect(result.output == "143 1\n" && result.error.isEmpty, "\(result)")
    }
}
