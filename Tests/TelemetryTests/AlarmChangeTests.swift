import JSON
import Telemetry
import Testing

@Suite struct AlarmChangeTests {
    static let json: JSONValue = [
        "description": "Too deep", "queue": "Orders",
        "metric": "ApproximateNumberOfMessagesVisible", "statistic": "Maximum", "period": 60,
        "evaluationPeriods": 1, "threshold": 10, "comparison": "GreaterThanThreshold",
        "alarmActions": ["Page", "Scale"], "okActions": ["Page"],
    ]

    private static func definition(_ more: JSONObject = [:]) throws -> AlarmDefinition {
        var json = json.objectValue ?? JSONObject()
        for (key, value) in more.members { json[key] = value }
        return try #require(AlarmDefinition(name: "Deep", json: .object(json)) { $0 })
    }

    private static func change(
        _ definition: AlarmDefinition, to state: AlarmStateValue
    ) -> AlarmChange {
        AlarmChange(
            definition: definition,
            previous: AlarmState(
                value: .ok, reason: "fine", since: Timestamp(milliseconds: 1_700_000_000_000)),
            state: AlarmState(
                value: state, reason: "deep", since: Timestamp(milliseconds: 1_700_000_060_000)))
    }

    @Test("each state has its own actions; none where they are switched off")
    func actions() throws {
        let definition = try Self.definition()
        #expect(Self.change(definition, to: .alarm).actions == ["Page", "Scale"])
        #expect(Self.change(definition, to: .ok).actions == ["Page"])
        #expect(Self.change(definition, to: .insufficientData).actions == [])
        let off = try Self.definition(["actionsEnabled": false])
        #expect(Self.change(off, to: .alarm).actions == [])
    }

    @Test("the event is what CloudWatch gives to a function")
    func event() throws {
        let event = Self.change(try Self.definition(), to: .alarm).event(
            alarmARN: "arn:aws:cloudwatch:us-east-1:123456789012:alarm:Deep", region: "us-east-1",
            accountID: "123456789012", metricID: "m")
        let expected: JSONValue = [
            "source": "aws.cloudwatch",
            "alarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:Deep",
            "accountId": "123456789012", "time": "2023-11-14T22:14:20.000+0000",
            "region": "us-east-1",
            "alarmData": [
                "alarmName": "Deep",
                "state": [
                    "value": "ALARM", "reason": "deep", "timestamp": "2023-11-14T22:14:20.000+0000",
                ],
                "previousState": [
                    "value": "OK", "reason": "fine", "timestamp": "2023-11-14T22:13:20.000+0000",
                ],
                "configuration": [
                    "metrics": [
                        [
                            "id": "m",
                            "metricStat": [
                                "metric": [
                                    "namespace": "AWS/SQS",
                                    "name": "ApproximateNumberOfMessagesVisible",
                                    "dimensions": ["QueueName": "Orders"],
                                ], "period": 60, "stat": "Maximum",
                            ], "returnData": true,
                        ]
                    ], "description": "Too deep",
                ],
            ],
        ]
        #expect(event == expected, "\(event.serialized())")
    }
}
