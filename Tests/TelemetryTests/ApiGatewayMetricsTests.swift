import JSON
import Telemetry
import Testing

@Suite struct ApiGatewayMetricsTests {
    private func lines(_ datapoints: [Datapoint]) -> [String] {
        datapoints.map { point in
            let dimensions = point.metric.dimensions.map { "\($0.name)=\($0.value)" }
            return "\(point.metric.name) \(dimensions.joined(separator: ",")) "
                + "\(Statistic.sum.value(of: point.values) ?? -1) \(point.unit.rawValue)"
        }
    }

    @Test("a REST API's request counts under its name, stage, method and resource")
    func rest() {
        let points = ApiGatewayMetrics.rest(
            apiName: "shop", stage: "prod", method: "POST", resource: "/orders", status: 502,
            latency: .milliseconds(12), integrationLatency: .milliseconds(10),
            time: Timestamp(milliseconds: 1000))
        let all = lines(points)
        #expect(all.count == 15)
        #expect(
            all.prefix(5) == [
                "Count ApiName=shop 1.0 Count", "4XXError ApiName=shop 0.0 Count",
                "5XXError ApiName=shop 1.0 Count", "Latency ApiName=shop 12.0 Milliseconds",
                "IntegrationLatency ApiName=shop 10.0 Milliseconds",
            ])
        #expect(all[5] == "Count ApiName=shop,Stage=prod 1.0 Count")
        #expect(
            all[10] == "Count ApiName=shop,Method=POST,Resource=/orders,Stage=prod 1.0 Count")
    }

    @Test("where no route was found, there is none to count under")
    func unknown() {
        let points = ApiGatewayMetrics.rest(
            apiName: "shop", stage: "prod", method: nil, resource: nil, status: 403,
            latency: .zero, integrationLatency: nil, time: Timestamp(milliseconds: 0))
        #expect(lines(points).count == 8)
        #expect(lines(points).contains("4XXError ApiName=shop,Stage=prod 1.0 Count"))
    }

    @Test("an HTTP API has names of its own")
    func http() {
        let points = ApiGatewayMetrics.http(
            apiID: "shop", stage: "$default", method: "ANY", resource: "/", status: 404, bytes: 7,
            latency: .zero, integrationLatency: nil, time: Timestamp(milliseconds: 0))
        #expect(lines(points).contains("4xx ApiId=shop 1.0 Count"))
        #expect(lines(points).contains("DataProcessed ApiId=shop,Stage=$default 7.0 Bytes"))
    }
}
