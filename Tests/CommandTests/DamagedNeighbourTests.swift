import Foundation
import JSON
import TestSupport
import Testing

/// A queue that is damaged, removed or repaired, and commands that asked for others.
@Suite struct DamagedNeighbourTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("neighbour") }

    private func shell(_ script: String) throws -> BuiltExecutable.Result {
        let prelude = #"""
            # Harms a queue's second record.
            harm() {
                file=.msorch/queues/$1/00000000000000000001.jsonl
                at=$(head -1 $file | wc -c); printf X | dd of=$file bs=1 seek=$((at + 20)) \
                    conv=notrunc status=none
            }
            # Until a command succeeds.
            soon() { for n in {1..3000}; do "$@" && return; sleep 0.01; done; echo "never: $*"; }

            """#
        return try BuiltExecutable.run("/bin/bash", ["-c", prelude + script], in: folder.path)
    }

    private let queues = """
        for q in A Dead Z; do msorch queue create $q --quiet; done
        msorch queue create Q --dead-letter-queue Dead --max-receive-count 1 \
            --visibility-timeout 0 --quiet
        for q in A Q Z; do for n in 1 2 3; do msorch send $q m$n > id; done; done

        """

    @Test("statistics of all queues leave a damaged one out, and say so")
    func statistics() throws {
        let result = try shell(
            queues + """
                harm A; msorch queue stats --output json | jq -c 'map([.name, .visible])'
                echo "stats ${PIPESTATUS[0]}"
                msorch queue stats Q --output json | jq '.[0].visible'
                msorch queue stats Q A > /dev/null 2>&1; echo "named $?"
                """)
        #expect(
            result.output == """
                [["Dead",0],["Q",3],["Z",3]]
                stats 5
                3
                named 5

                """, "\(result)")
        #expect(result.error.contains("queues/A/"), "\(result)")
    }

    @Test("status shows the stack without the counts of queues that are damaged or removed")
    func status() throws {
        let result = try shell(
            """
            echo '{"lambdas": {}, "queues": {"A": {}, "Gone": {}, "Z": {}}}' > stack.json
            msorch deploy --quiet > /dev/null; msorch queue rm Gone --quiet
            for n in 1 2; do for q in A Z; do msorch send $q m$n > /dev/null; done; done
            msorch status --output json | jq -c '.queues | map(.visible)'; echo "${PIPESTATUS[0]}"
            harm A; msorch status --quiet | grep -A 3 ^QUEUE; echo "${PIPESTATUS[0]}"
            msorch status --output json | jq -c '[.serve] + (.queues | map([.name, .inFlight]))'
            """)
        #expect(
            result.output == """
                [2,null,2]
                0
                QUEUE  VISIBLE  IN FLIGHT  DELAYED
                A      -        -          -
                Gone   -        -          -
                Z      2        0          0
                5
                [null,["A",null],["Gone",null],["Z",0]]

                """, "\(result)")
        #expect(
            result.error.hasPrefix(
                "The queue 'Gone' was removed; 'msorch deploy' makes it again.\nerror: "),
            "\(result)")
        #expect(result.error.contains("queues/A/"), "\(result)")
    }

    @Test("a message's history is told without a damaged queue, unless that may have it")
    func history() throws {
        let result = try shell(
            queues + """
                harm A; msorch queue history $(cat id) --output json | jq -r .event
                echo "history ${PIPESTATUS[0]}"
                msorch queue history $(cat id) Z > /dev/null; echo "named $?"
                msorch queue history none; echo "none $?"; msorch queue history none Z; echo "Z $?"
                """)
        #expect(
            result.output == "sent\nhistory 5\nnamed 0\nnone 5\nZ 3\n", "\(result)")
    }

    @Test("a redrive goes on beside a damaged queue that has nothing to do with it")
    func redrive() throws {
        let result = try shell(
            queues + """
                msorch queue receive Q --max 10 > /dev/null; msorch queue receive Q --max 10
                harm A; msorch queue redrive Dead --output json | jq -c '[.status, .moved]'
                msorch queue stats Q --output json | jq '.[0].visible'
                msorch queue redrive Z > /dev/null; echo "Z $?"
                """)
        #expect(result.output == "[\"COMPLETED\",3]\n3\nZ 5\n", "\(result)")
        #expect(result.error.contains("queues/A/"), "it is not named: \(result)")
    }

    @Test("who follows a queue goes on after its repair, and ends where another has its name")
    func tail() throws {
        let result = try shell(
            """
            msorch queue create Q --quiet; for n in 1 2; do msorch send Q m$n > /dev/null; done
            (msorch queue tail Q -f > seen 2> words; echo "tail $?" >> words) & pid=$!
            soon grep -q m2 seen
            harm Q; msorch queue verify Q --repair > /dev/null 2>&1; msorch send Q later > /dev/null
            soon grep -q later seen
            msorch queue rm Q --force --quiet; msorch queue create Q --force --quiet
            wait $pid; grep -c m2 seen; grep -c later seen; cat words
            """)
        #expect(
            result.output == """
                1
                1
                The queue 'Q' was repaired; what is in it has new records.
                error: The queue 'Q' was removed.
                tail 3

                """, "\(result)")
    }
}
