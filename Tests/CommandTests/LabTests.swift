import Foundation
import Posix
import TestSupport
import Testing

/// The lab, in shell, as its user would do it.
@Suite struct LabTests {
    private static let script = #"""
        set -euo pipefail
        fail() { echo "failed: $1" >&2; exit 1; }
        msorch deploy --quiet >/dev/null
        msorch deploy --plan >/dev/null || fail "a second deploy has something to do"

        for id in $(seq 10); do
            event="{\"order_id\": $id, \"order_details\": \"books\"}"
            msorch invoke CreateOrder --payload "$event" >response
            [ "$(jq -r .statusCode response)" = 200 ] || fail "order $id"
        done
        [ "$(msorch queue stats OrderQueue --output json | jq '.[0].visible')" = 10 ] \
            || fail "ten orders wait"

        msorch drain --output json >summary
        [ "$(jq .succeeded summary)" = 20 ] || fail "twenty deliveries: $(cat summary)"
        [ "$(jq .failed summary)" = 0 ] || fail "none failed"
        [ "$(jq .quiet summary)" = true ] || fail "quiet"

        msorch logs Notification --output json --filter '"order paid"' >notifications
        [ "$(jq -r '.message | fromjson | .order_id' notifications | sort -n | tr '\n' ' ')" \
            = "1 2 3 4 5 6 7 8 9 10 " ] || fail "a notification for each order"

        waiting='map(.visible + .inFlight + .delayed) | add'
        [ "$(msorch queue stats --output json | jq "$waiting")" = 0 ] || fail "queues are empty"
        [ "$(msorch queue stats --output json | jq 'map(.deleted) | add')" = 20 ] \
            || fail "twenty deletes"

        metric() {
            msorch metrics "$1" --stat Sum --output json \
                | jq ".[] | select(.metric == \"$2\") | .value"
        }
        [ "$(metric CreateOrder Invocations)" = 10 ] || fail "ten invocations"
        [ "$(metric CreateOrder Errors)" = 0 ] || fail "no errors"
        [ "$(metric OrderQueue NumberOfMessagesSent)" = 10 ] || fail "ten sent"
        [ "$(metric OrderQueue NumberOfMessagesReceived)" = 10 ] || fail "ten received"
        [ "$(metric PaymentQueue NumberOfMessagesDeleted)" = 10 ] || fail "ten deleted"
        [ "$(msorch alarms --output json | jq -r 'map(.state) | unique | .[]')" = OK ] \
            || fail "every alarm is OK"

        order='{"order_id": 11, "order_details": "by the route"}'
        msorch invoke ProcessPayment --payload "$order" >response
        [ "$(jq -r '.body | fromjson' response)" = "Pago procesado" ] || fail "payment by route"
        msorch drain --quiet >/dev/null

        [ -z "$(ls .msorch/run/environments)" ] || fail "an environment is left"
        for process in /proc/[0-9]*; do
            [ "$(readlink "$process/cwd" 2>/dev/null || true)" = "$PWD" ] || continue
            [ "${process#/proc/}" = $$ ] || [ "${process#/proc/}" = "$BASHPID" ] \
                || fail "a process is left: $(tr '\0' ' ' <"$process/cmdline")"
        done
        """#

    @Test("deploy, ten orders, drain: ten notifications, and nothing left")
    func lab() throws {
        let folder = try TemporaryFolder("lab")
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        for name in ["stack.json", "functions"] {
            try FileManager.default.copyItem(
                atPath: root.appending(path: name).path, toPath: "\(folder.path)/\(name)")
        }
        let result = try BuiltExecutable.run(
            "/bin/bash", ["-c", Self.script], in: folder.path, inheritingPath: true)
        #expect(result.status == 0, "\(result.error)")
    }
}
