import Crypto
import JSON
import StackModel
import Telemetry

/// Tells functions of alarms that changed, as events that wait for them (`EventStore`).
package struct AlarmActions: Sendable {
    private let stack: Stack
    private let accept: @Sendable ([UInt8], FunctionDefinition) throws -> Void

    /// - Parameter accept: keeps an event for a function.
    package init(
        _ stack: Stack, accept: @escaping @Sendable ([UInt8], FunctionDefinition) throws -> Void
    ) {
        self.stack = stack
        self.accept = accept
    }

    /// - Returns: why functions could not be told, a sentence each.
    package func run(_ change: AlarmChange) -> [String] {
        let name = change.definition.name
        let arn = "arn:aws:cloudwatch:\(stack.region):\(stack.accountID):alarm:\(name)"
        let event = change.event(
            alarmARN: arn, region: stack.region, accountID: stack.accountID,
            metricID: Self.uuid(of: arn))
        let payload = Array(event.serialized().utf8)
        return change.actions.compactMap { action in
            do {
                guard let function = stack.function(action) else {
                    return "\(name) could not tell \(action): there is no such function."
                }
                try accept(payload, function)
                return nil
            } catch {
                return "\(name) could not tell \(action): \(error)"
            }
        }
    }

    private static func uuid(of text: String) -> String {
        let digest = Array(Digest.sha256Hex(Array(text.utf8)))
        let ends = [8, 12, 16, 20, 32]
        return zip([0] + ends, ends).map { String(digest[$0..<$1]) }.joined(separator: "-")
    }
}
